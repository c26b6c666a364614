/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/change-details.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/change-arguments.h"
#include "common/name.h"
#include "common/text.h"

char **details_free(char **d) {
        for (char **p = d; p && *p; p++)
                free(*p);
        free(d);
        return NULL;
}

/* The path that is the argument NAME of the call, NULL if its method has none. */
static const char *find_path(const Arguments *a, const ChangeKind *kind, const char *name) {
        const char *argument = kind->names;
        unsigned i = 0;

        for (const char *t = kind->in; *t; t++, argument += strlen(argument) + 1) {
                if (*t == 'o' && i < a->n_paths) {
                        if (strcmp(argument, name) == 0)
                                return a->paths[i].text;
                        i++;
                } else if (*t == 'a')
                        t += t[1] == '{' ? strcspn(t, "}") : 1;
        }

        return NULL;
}

static const char *find_node_path(const Arguments *a, const ChangeKind *kind) {
        const char *path = find_path(a, kind, "iSCSINode");

        return path ? path : find_path(a, kind, "iSCSIPort");
}

/* A path that cannot be that of a node stands as it is: it is no iSCSI name, and names nothing. */
static char *describe_node(const Arguments *a, const ChangeKind *kind) {
        _cleanup_free_ char *name = NULL, *normal = NULL;
        const char *path = find_node_path(a, kind), *reason;

        if (!path)
                return a->name ? node_name_as_stored(a->name) : strdup("");

        name = path_decode_below(path, NODE_PATH);
        if (name && iscsi_name_normalize(name, &normal, &reason) >= 0 && strcmp(name, normal) == 0)
                return TAKE_PTR(name);

        return strdup(path);
}

static void describe_role(FILE *f, uint16_t role) {
        if (role == ROLE_INITIATOR || role == ROLE_TARGET)
                (void) fputs(role == ROLE_TARGET ? "target" : "initiator", f);
        else
                (void) fprintf(f, "%u", role);
}

static char *describe_roles(const Arguments *a, const ChangeKind *kind) {
        _cleanup_free_ char *text = NULL;
        bool initiator = false, target = !a->roles;
        uint16_t other = 0;
        size_t size;
        FILE *f;

        f = open_memstream(&text, &size);
        if (!f)
                return NULL;

        if (kind->method == METHOD_CREATE_ISCSI_PROTOCOL_ENDPOINT)
                describe_role(f, a->number);
        else {
                for (size_t i = 0; i < a->n_roles; i++)
                        if (a->roles[i] == ROLE_INITIATOR)
                                initiator = true;
                        else if (a->roles[i] == ROLE_TARGET)
                                target = true;
                        else
                                other = a->roles[i];
                if (initiator)
                        describe_role(f, ROLE_INITIATOR);
                if (initiator && target)
                        (void) fputc(' ', f);
                if (target)
                        describe_role(f, ROLE_TARGET);
                if (other) /* is refused later */
                        (void) fprintf(f, "%s%u", initiator || target ? " " : "", other);
        }

        return fclose(f) == 0 ? TAKE_PTR(text) : NULL;
}

static char *describe_identifier(const Arguments *a, const ChangeKind *kind) {
        const char *path = find_path(a, kind, "iSCSIPort"), *last;
        char *text;

        if (path) {
                last = strrchr(path, '/') + 1;
                return strdup(strspn(last, "0123456789ABCDEF") == IDENTIFIER_DIGITS && strlen(last) == IDENTIFIER_DIGITS ? last
                                                                                                                         : "");
        }

        text = strdup(a->text);
        for (char *p = text; p && *p; p++)
                *p = (char) toupper((unsigned char) *p);
        return text;
}

/* The Name of the endpoint with that path; a path that cannot be one's stands as it is. PORT is that of the TCP endpoint that an address is to
 * get, else 0. */
static void describe_portal(FILE *f, const char *path, uint16_t port) {
        _cleanup_free_ char *tcp = path_decode_below(path, TCP_PATH), *ip = path_decode_below(path, IP_PATH);
        char text[PORTAL_TEXT_MAX];
        Portal p = {};

        if (tcp && portal_from_text(tcp, &p) >= 0)
                (void) fputs(portal_to_text(&p, text), f);
        else if (ip && ip_address_from_text(ip, &p.address) >= 0) {
                p.port = port;
                (void) fputs(port ? portal_to_text(&p, text) : ip_address_to_text(&p.address, text), f);
        } else
                (void) fputs(path, f);
}

static char *describe_portals(const Arguments *a, const ChangeKind *kind) {
        const char *path = find_path(a, kind, "NetworkPortal");
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f;

        if (!path)
                path = find_path(a, kind, "TCPEndpoint");
        if (!path)
                path = find_path(a, kind, "IPEndpoint");

        f = open_memstream(&text, &size);
        if (!f)
                return NULL;

        if (path)
                describe_portal(f, path, a->number);
        for (size_t i = 0; i < a->n_portals; i++) {
                if (i > 0)
                        (void) fputc(' ', f);
                describe_portal(f, a->portals[i].text, 0);
        }

        return fclose(f) == 0 ? TAKE_PTR(text) : NULL;
}

static char *describe_group(const Arguments *a, const ChangeKind *kind) {
        const char *path = find_path(a, kind, "PortalGroup"), *last;

        if (!path)
                return strdup(a->text);

        last = strncmp(path, GROUP_PATH "/", strlen(GROUP_PATH "/")) == 0 ? path + strlen(GROUP_PATH "/") : path;
        return strdup(last);
}

int details_new(const Arguments *a, const ChangeKind *kind, char ***ret) {
        static const struct {
                const char *name;
                char *(*describe)(const Arguments *a, const ChangeKind *kind);
        } details[] = {
                { "node", describe_node },       { "role", describe_roles },  { "identifier", describe_identifier },
                { "portals", describe_portals }, { "group", describe_group },
        };
        _cleanup_(details_freep) char **d = NULL;
        size_t n = 0;

        d = calloc(2 * ELEMENTSOF(details) + 1, sizeof(char *));
        if (!d)
                return -ENOMEM;

        for (const char *const *name = kind->details; *name; name++)
                for (size_t i = 0; i < ELEMENTSOF(details); i++) {
                        if (strcmp(*name, details[i].name) != 0)
                                continue;
                        d[n] = strdup(*name);
                        if (!d[n++])
                                return -ENOMEM;
                        d[n] = details[i].describe(a, kind);
                        if (!d[n++])
                                return -ENOMEM;
                        text_mask_controls(d[n - 1], '?');
                }

        *ret = TAKE_PTR(d);
        return 0;
}
