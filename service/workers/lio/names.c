/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/macro.h"
#include "common/name.h"
#include "common/text.h"

/* The kernel's kstrtou16() with base 0: an optional '+', "0x" for hexadecimal, a leading zero for octal, one newline may follow.
 * */
static int kernel_u16_from_text(const char *text, uint16_t *ret) {
        unsigned base = 10, value = 0;
        const char *p = text;

        if (*p == '+')
                p++;

        if (p[0] == '0') {
                base = 8;
                if ((p[1] == 'x' || p[1] == 'X') && isxdigit((unsigned char) p[2])) {
                        base = 16;
                        p += 2;
                }
        }

        if (!isxdigit((unsigned char) *p))
                return -EINVAL;

        for (; isxdigit((unsigned char) *p); p++) {
                unsigned digit =
                        isdigit((unsigned char) *p) ? (unsigned) (*p - '0') : (unsigned) (tolower((unsigned char) *p) - 'a' + 10);

                if (digit >= base)
                        return -EINVAL;
                value = value * base + digit;
                if (value > UINT16_MAX)
                        return -EINVAL;
        }

        if (*p == '\n')
                p++;
        if (*p)
                return -EINVAL;

        *ret = (uint16_t) value;
        return 0;
}

int lio_tag_from_name(const char *name, uint16_t *ret) {
        const char *p;

        p = strstr(name, "tpgt_");
        if (!p)
                return -EINVAL;

        return kernel_u16_from_text(p + strlen("tpgt_"), ret);
}

/* As the kernel's in4_pton(): four decimal octets, leading zeros allowed (inet_pton() refuses those). */
static int kernel_ipv4_from_text(const char *text, struct in_addr *ret) {
        uint8_t octets[4];
        const char *p = text;

        if (strlen(text) > INET_ADDRSTRLEN)
                return -EINVAL;

        for (size_t i = 0; i < ELEMENTSOF(octets); i++) {
                unsigned value = 0;

                if (i > 0 && *p++ != '.')
                        return -EINVAL;
                if (!isdigit((unsigned char) *p))
                        return -EINVAL;
                for (; isdigit((unsigned char) *p); p++) {
                        value = value * 10 + (unsigned) (*p - '0');
                        if (value > UINT8_MAX)
                                return -EINVAL;
                }
                octets[i] = (uint8_t) value;
        }

        if (*p)
                return -EINVAL;

        memcpy(ret, octets, sizeof(octets));
        return 0;
}

/* As the kernel's inet6_pton(). It looks at a zone only where it matters. */
static int kernel_ipv6_from_text(const char *text, IpAddress *ret) {
        char buf[INET6_ADDRSTRLEN];
        const char *zone;
        IpAddress a = { .family = AF_INET6 };
        size_t n;

        zone = strchr(text, '%');
        n = zone ? (size_t) (zone - text) : strlen(text);
        if (n >= sizeof(buf) || strlen(text) > LIO_IPV6_TEXT_MAX)
                return -EINVAL;
        memcpy(buf, text, n);
        buf[n] = '\0';
        if (inet_pton(AF_INET6, buf, &a.in6) != 1)
                return -EINVAL;

        if (zone && IN6_IS_ADDR_LINKLOCAL(&a.in6))
                (void) snprintf(a.zone, sizeof(a.zone), "%s", zone + 1);

        *ret = a;
        return 0;
}

int lio_portal_from_name(const char *name, Portal *ret) {
        const char *address, *end, *colon;
        char buf[LIO_IPV6_TEXT_MAX + 1];
        Portal p = {};
        int r;

        /* The kernel skips whatever stands before '[' and between ']' and ':'. */
        address = strchr(name, '[');
        if (address) {
                address++;
                end = strchr(address, ']');
                if (!end)
                        return -EINVAL;
                colon = strchr(end, ':');
        } else {
                address = name;
                end = colon = strchr(name, ':');
        }
        if (!colon || (size_t) (end - address) >= sizeof(buf))
                return -EINVAL;

        memcpy(buf, address, (size_t) (end - address));
        buf[end - address] = '\0';

        r = kernel_u16_from_text(colon + 1, &p.port);
        if (r < 0)
                return r;

        /* IPv4 is tried first, brackets or not. */
        p.address.family = AF_INET;
        if (kernel_ipv4_from_text(buf, &p.address.in) < 0) {
                r = kernel_ipv6_from_text(buf, &p.address);
                if (r < 0)
                        return r;
        }

        *ret = p;
        return 0;
}

uint32_t lio_portal_resolve(Portal *portal, Interfaces *interfaces, bool *ret_usable) {
        uint32_t index = 0;

        if (portal->address.zone[0]) {
                index = interfaces_index(interfaces, portal->address.zone);

                if (index != 0 && interfaces_name(interfaces, index))
                        (void) snprintf(portal->address.zone, sizeof(portal->address.zone), "%s",
                                        interfaces_name(interfaces, index));
        }

        *ret_usable = portal->port > 0 && ip_address_is_usable(&portal->address) && (!portal->address.zone[0] || index != 0);
        return index;
}

bool lio_node_name_is_valid(const char *name) {
        static const char *const types[] = { "iqn.", "eui.", "naa." };
        const unsigned char *p = (const unsigned char *) name;
        bool typed = false;

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                typed = typed || strncmp(name, types[i], strlen(types[i])) == 0;
        if (!typed || !name[4] || strlen(name) > ISCSI_NAME_MAX)
                return false;

        for (; *p; p++)
                if (*p <= ' ' || *p == 0x7f || *p == '/')
                        return false;

        return text_is_utf8(name);
}

bool lio_directory_name_is_valid(const char *name) {
        return *name && strlen(name) <= NAME_MAX && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}
