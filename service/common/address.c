/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ip_address_is_wildcard(const IpAddress *a) {
        return a->family == AF_INET ? a->in.s_addr == htonl(INADDR_ANY) : IN6_IS_ADDR_UNSPECIFIED(&a->in6);
}

bool ip_address_is_loopback(const IpAddress *a) {
        return a->family == AF_INET ? ntohl(a->in.s_addr) >> 24 == 127 : IN6_IS_ADDR_LOOPBACK(&a->in6);
}

bool ip_address_is_link_local(const IpAddress *a) {
        return a->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&a->in6);
}

bool ip_address_is_usable(const IpAddress *a) {
        /* The kernel lets an interface's name hold almost anything but a blank and '/'. Ours goes into portal texts and onto the
         * bus, so neither ']' and '%', nor what does not print or may not be UTF-8. */
        for (const char *p = a->zone; *p; p++)
                if (*p <= ' ' || *p > '~' || strchr("]%/", *p))
                        return false;

        if (a->family == AF_INET)
                return !IN_MULTICAST(ntohl(a->in.s_addr)) && a->in.s_addr != htonl(INADDR_BROADCAST) && !a->zone[0];

        return a->family == AF_INET6 && !IN6_IS_ADDR_MULTICAST(&a->in6) && !IN6_IS_ADDR_V4MAPPED(&a->in6) &&
               ip_address_is_link_local(a) == (a->zone[0] != '\0');
}

int ip_address_from_text(const char *text, IpAddress *ret) {
        char buf[INET6_ADDRSTRLEN];
        const char *zone;
        IpAddress a = {};
        size_t n;

        zone = strchr(text, '%');
        n = zone ? (size_t) (zone - text) : strlen(text);
        if (n >= sizeof(buf))
                return -EINVAL;
        memcpy(buf, text, n);
        buf[n] = '\0';

        if (zone) {
                if (!zone[1] || strlen(zone + 1) >= sizeof(a.zone))
                        return -EINVAL;
                strcpy(a.zone, zone + 1);
        }

        a.family = strchr(buf, ':') ? AF_INET6 : AF_INET;
        if (inet_pton(a.family, buf, &a.in6) != 1 || !ip_address_is_usable(&a))
                return -EINVAL;

        *ret = a;
        return 0;
}

const char *ip_address_to_text(const IpAddress *a, char buf[static IP_ADDRESS_TEXT_MAX]) {
        (void) inet_ntop(a->family, a->family == AF_INET ? (const void *) &a->in : &a->in6, buf, INET6_ADDRSTRLEN);

        if (a->zone[0]) {
                size_t n = strlen(buf);

                (void) snprintf(buf + n, IP_ADDRESS_TEXT_MAX - n, "%%%s", a->zone);
        }

        return buf;
}

int ip_address_compare(const IpAddress *a, const IpAddress *b) {
        int r;

        if (a->family != b->family)
                return a->family < b->family ? -1 : 1;

        r = a->family == AF_INET ? memcmp(&a->in, &b->in, sizeof(a->in)) : memcmp(&a->in6, &b->in6, sizeof(a->in6));
        return r ? r : strncmp(a->zone, b->zone, sizeof(a->zone));
}

int portal_from_text(const char *text, Portal *ret) {
        char buf[IP_ADDRESS_TEXT_MAX];
        const char *address = text, *end, *digits;
        unsigned long port = 0;
        Portal p = {};
        int r;

        if (text[0] == '[') {
                address = text + 1;
                end = strchr(text, ']');
                if (!end || end[1] != ':')
                        return -EINVAL;
                digits = end + 2;
        } else {
                end = strchr(text, ':');
                if (!end)
                        return -EINVAL;
                digits = end + 1;
        }

        if ((size_t) (end - address) >= sizeof(buf))
                return -EINVAL;
        memcpy(buf, address, (size_t) (end - address));
        buf[end - address] = '\0';

        r = ip_address_from_text(buf, &p.address);
        if (r < 0)
                return r;
        if ((p.address.family == AF_INET6) != (text[0] == '['))
                return -EINVAL;

        if (strlen(digits) < 1 || strlen(digits) > 5 || digits[0] == '0' || strspn(digits, "0123456789") != strlen(digits))
                return -EINVAL;
        port = strtoul(digits, NULL, 10);
        if (port > UINT16_MAX)
                return -EINVAL;

        p.port = (uint16_t) port;
        *ret = p;
        return 0;
}

const char *portal_to_text(const Portal *p, char buf[static PORTAL_TEXT_MAX]) {
        char address[IP_ADDRESS_TEXT_MAX];
        bool v6 = p->address.family == AF_INET6;

        (void) snprintf(buf, PORTAL_TEXT_MAX, "%s%s%s:%u", v6 ? "[" : "", ip_address_to_text(&p->address, address), v6 ? "]" : "",
                        p->port);
        return buf;
}

int portal_compare(const Portal *a, const Portal *b) {
        int r;

        r = ip_address_compare(&a->address, &b->address);
        if (r)
                return r;
        return a->port < b->port ? -1 : a->port > b->port;
}
