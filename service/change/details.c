/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/details.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#include "change/method.h"
#include "common/identifier.h"
#include "common/name.h"
#include "common/text.h"
#include "change/path.h"

/* What has been gathered of an intent. A value that differs from item to item is empty: a rule that trusts somebody with one node
 * must not be satisfied by a call that names it beside others. */
typedef struct Value {
        bool asked; /* the method has an argument of this meaning */
        bool mixed;
        char *text; /* malloc'ed; NULL: no argument told it */
} Value;

/* A portal that was named. A batch can name 65,536 of them. */
typedef struct NamedPortal {
        UT_hash_handle hh;
        char text[];
} NamedPortal;

typedef struct Details {
        Value node, role, identifier, group;
        bool has_portals;
        NamedPortal *portals; /* each once, in the order in which they came */
        uint64_t tcp_port;
        bool batch;
        size_t count;   /* its items */
        LockSet *locks; /* to be filled, or NULL */
} Details;

static int value_set(Value *v, char *text) {
        if (!text)
                return -ENOMEM;
        if (v->text && strcmp(v->text, text) != 0)
                v->mixed = true;
        free(v->text);
        v->text = text;
        return 0;
}

/* NAME as the service would store it, so that what compares names cannot be got round by spelling; else as it is. */
static char *name_as_stored(const char *name) {
        const char *reason;
        char *n;

        return iscsi_name_normalize(name, &n, &reason) >= 0 ? n : strdup(name);
}

static char *address_as_stored(const char *text) {
        char normal[IP_ADDRESS_TEXT_MAX];
        IpAddress a;

        return strdup(ip_address_from_text(text, &a) >= 0 ? ip_address_to_text(&a, normal) : text);
}

/* The name of the node whose path PATH is, or begins with. If PATH cannot be such a path, the result is PATH itself, which never
 * equals an iSCSI name. */
static char *node_of_path(const char *path) {
        _cleanup_free_ char *name = NULL, *normal = NULL;
        const char *reason;

        name = path_decode_below(path, NODE_PATH);
        if (name && strcmp(name, HOST_NODE) == 0) /* the host's node while it has no name; the reconciler knows it so, too */
                return TAKE_PTR(name);
        if (name && iscsi_name_normalize(name, &normal, &reason) >= 0 && strcmp(name, normal) == 0)
                return TAKE_PTR(name);

        return strdup(path);
}

static char *identifier_of_path(const char *path) {
        const char *last = strrchr(path, '/') + 1;
        bool valid = strspn(last, "0123456789ABCDEF") == IDENTIFIER_DIGITS && strlen(last) == IDENTIFIER_DIGITS;

        return strdup(valid ? last : "");
}

static char *upper_case(const char *text) {
        char *copy = strdup(text);

        for (char *p = copy; p && *p; p++)
                *p = (char) toupper((unsigned char) *p);
        return copy;
}

static char *group_of_path(const char *path) {
        size_t n = strlen(GROUP_PATH "/");

        return strdup(strncmp(path, GROUP_PATH "/", n) == 0 ? path + n : path);
}

/* The Name of the endpoint with that path. If the path cannot be an endpoint's, the result is the path itself. */
static char *portal_of_path(const char *path, uint16_t tcp_port) {
        _cleanup_free_ char *tcp = path_decode_below(path, TCP_PATH), *ip = path_decode_below(path, IP_PATH);
        char text[PORTAL_TEXT_MAX];
        Portal p = {};

        if (tcp && portal_from_text(tcp, &p) >= 0)
                return strdup(portal_to_text(&p, text));
        if (ip && ip_address_from_text(ip, &p.address) >= 0) {
                p.port = tcp_port;
                return strdup(tcp_port ? portal_to_text(&p, text) : ip_address_to_text(&p.address, text));
        }
        return strdup(path);
}

static int add_portal(Details *d, const char *text) {
        NamedPortal *p;
        size_t n;

        if (!text)
                return -ENOMEM;
        n = strlen(text);
        HASH_FIND(hh, d->portals, text, n, p);
        if (p)
                return 0;

        p = calloc(1, sizeof(*p) + n + 1);
        if (!p)
                return -ENOMEM;
        memcpy(p->text, text, n);
        HASH_ADD_KEYPTR(hh, d->portals, p->text, n, p);
        return 0;
}

static int add_portal_of_path(Details *d, const char *path, uint16_t tcp_port) {
        _cleanup_free_ char *text = portal_of_path(path, tcp_port);

        return add_portal(d, text);
}

static int add_address(Details *d, const char *address) {
        _cleanup_free_ char *text = address_as_stored(address);

        return add_portal(d, text);
}

static int add_portals(Details *d, const Argument *a) {
        int r = 0;

        if (a->spec->type[0] != 'a')
                return add_portal_of_path(d, a->text, a->spec->means == MEANS_ADDRESS ? (uint16_t) d->tcp_port : 0);
        for (size_t i = 0; i < a->n && r >= 0; i++)
                r = add_portal_of_path(d, a->texts[i], 0);
        return r;
}

static int add_lock(Details *d, const char *kind, const char *name) {
        _cleanup_free_ char *lock = NULL;

        if (!d->locks)
                return 0;
        return asprintf(&lock, "%s%s", kind, name) < 0 ? -ENOMEM : lock_set_add(d->locks, lock);
}

static int add_node(Details *d, char *name) {
        int r;

        r = value_set(&d->node, name);
        return r < 0 ? r : add_lock(d, LOCK_NODE, d->node.text);
}

/* Malloc'ed, NULL without memory. */
static char *role_text(uint64_t role) {
        char *text;

        if (role_info(role))
                return strdup(role_info(role)->name);
        return asprintf(&text, "%u", (unsigned) role) < 0 ? NULL : text;
}

static int add_roles(Details *d, const Argument *a) {
        _cleanup_free_ char *text = NULL;
        unsigned roles = 0;

        if (a->spec->type[0] != 'a')
                return value_set(&d->role, role_text(a->number));
        if (!a->given)
                return value_set(&d->role, role_text(ROLE_DEFAULT));

        for (size_t i = 0; i < a->n; i++) {
                if (!role_info(a->numbers[i])) /* is refused later */
                        return value_set(&d->role, role_text(a->numbers[i]));
                roles |= ROLE_BIT(a->numbers[i]);
        }

        text = strdup("");
        FOR_EACH_ROLE(role)
                if (text && (roles & ROLE_BIT(role))) {
                        char *before = TAKE_PTR(text);

                        if (asprintf(&text, "%s%s%s", before, before[0] ? " " : "", role_name(role)) < 0)
                                text = NULL;
                        free(before);
                }
        return value_set(&d->role, TAKE_PTR(text));
}

static int add_argument(const Argument *a, void *userdata) {
        Details *d = userdata;
        int r;

        switch (a->spec->means) {
        case MEANS_NODE:
                return add_node(d, node_of_path(a->text));
        case MEANS_NODE_NAME:
                return a->given ? add_node(d, name_as_stored(a->text)) : 0;
        case MEANS_ALIAS:
                return a->text && a->text[0] ? add_lock(d, LOCK_ALIAS, a->text) : 0;
        case MEANS_PORT:
                r = add_node(d, node_of_path(a->text));
                return r < 0 ? r : value_set(&d->identifier, identifier_of_path(a->text));
        case MEANS_IDENTIFIER:
                return value_set(&d->identifier, upper_case(a->text));
        case MEANS_ROLE:
                return add_roles(d, a);
        case MEANS_NETWORK_PORTAL:
                r = add_portals(d, a);
                return r < 0 || !d->locks ? r : lock_set_follow(d->locks, LOCK_PORTALS);
        case MEANS_TCP_ENDPOINT:
        case MEANS_ADDRESS:
                r = add_portals(d, a);
                return r < 0 ? r : add_lock(d, LOCK_PORTALS, "");
        case MEANS_ADDRESS_TEXT:
                r = add_address(d, a->text);
                return r < 0 ? r : add_lock(d, LOCK_PORTALS, "");
        case MEANS_PORTAL_GROUP:
                r = value_set(&d->group, group_of_path(a->text));
                return r < 0 ? r : add_lock(d, LOCK_PORTALS, "");
        case MEANS_PORTAL_GROUP_NAME:
                r = value_set(&d->group, strdup(a->text));
                return r < 0 ? r : add_lock(d, LOCK_PORTALS, "");
        case MEANS_TCP_PORT:
        case MEANS_VALUE:
                return 0;
        }

        return 0;
}

static int find_tcp_port(const Argument *a, void *userdata) {
        if (a->spec->means == MEANS_TCP_PORT)
                ((Details *) userdata)->tcp_port = a->number;
        return 0;
}

/* What the method could be asked to do decides which details there are, not what this call has in it. */
static void mark_asked(Details *d, const ArgumentSpec *specs) {
        for (const ArgumentSpec *s = specs; s && s->name; s++) {
                mark_asked(d, s->members);
                d->node.asked |= s->means == MEANS_NODE || s->means == MEANS_NODE_NAME || s->means == MEANS_PORT;
                d->role.asked |= s->means == MEANS_ROLE;
                d->identifier.asked |= s->means == MEANS_IDENTIFIER || s->means == MEANS_PORT;
                d->group.asked |= s->means == MEANS_PORTAL_GROUP || s->means == MEANS_PORTAL_GROUP_NAME;
                d->has_portals |= s->means == MEANS_NETWORK_PORTAL || s->means == MEANS_TCP_ENDPOINT ||
                                  s->means == MEANS_ADDRESS || s->means == MEANS_ADDRESS_TEXT;
        }
}

static int gather(const Intent *i, Details *d) {
        int r;

        mark_asked(d, i->method->in);
        for (const Argument *a = i->arguments; a->spec; a++)
                if (a->spec->type[0] == 'a' && a->spec->type[1] == '(') {
                        d->batch = true;
                        d->count = a->n;
                }

        r = intent_walk(i, find_tcp_port, d);
        return r < 0 ? r : intent_walk(i, add_argument, d);
}

static void gathered_done(Details *d) {
        NamedPortal *p, *next;

        free(d->node.text);
        free(d->role.text);
        free(d->identifier.text);
        free(d->group.text);
        HASH_ITER(hh, d->portals, p, next) {
                HASH_DELETE(hh, d->portals, p);
                free(p);
        }
}

#define _cleanup_gathered_ _cleanup_(gathered_done)

static char *join_portals(const Details *d) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f;

        f = open_memstream(&text, &size);
        if (!f)
                return NULL;
        for (const NamedPortal *p = d->portals; p; p = p->hh.next)
                (void) fprintf(f, "%s%s", p == d->portals ? "" : " ", p->text);
        return fclose(f) == 0 ? TAKE_PTR(text) : NULL;
}

char **details_free(char **d) {
        for (char **p = d; p && *p; p++)
                free(*p);
        free(d);
        return NULL;
}

/* Appends a pair; VALUE is taken. */
static int add_pair(char **list, size_t *n, const char *name, char *value) {
        if (!value)
                return -ENOMEM;
        list[*n] = strdup(name);
        if (!list[*n]) {
                free(value);
                return -ENOMEM;
        }
        list[++*n] = value;
        text_mask_controls(value, '?');
        ++*n;
        return 0;
}

static int add_value(char **list, size_t *n, const char *name, const Value *v, bool empty) {
        if (!v->asked)
                return 0;
        return add_pair(list, n, name, strdup(v->text && !v->mixed && !empty ? v->text : ""));
}

int details_new(const Intent *i, char ***ret) {
        _cleanup_(details_freep) char **list = NULL;
        _cleanup_gathered_ Details d = {};
        char count[32];
        size_t n = 0;
        int r;

        r = gather(i, &d);
        if (r < 0)
                return r;

        list = calloc(16, sizeof(char *));
        if (!list)
                return -ENOMEM;

        r = add_pair(list, &n, "method", strdup(i->method->name));
        if (r >= 0)
                r = add_value(list, &n, "node", &d.node, false);
        if (r >= 0)
                r = add_value(list, &n, "role", &d.role, false);
        if (r >= 0)
                r = add_value(list, &n, "identifier", &d.identifier, d.batch);
        if (r >= 0 && d.has_portals)
                r = add_pair(list, &n, "portals", join_portals(&d));
        if (r >= 0)
                r = add_value(list, &n, "group", &d.group, false);
        if (r >= 0 && d.batch) {
                (void) snprintf(count, sizeof(count), "%zu", d.count);
                r = add_pair(list, &n, "count", strdup(count));
        }
        if (r < 0)
                return r;

        *ret = TAKE_PTR(list);
        return 0;
}

int details_locks(const Intent *i, LockSet *locks) {
        _cleanup_gathered_ Details d = { .locks = locks };

        return gather(i, &d);
}

char *details_subject(char *const *details) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f;

        f = open_memstream(&text, &size);
        if (!f)
                return NULL;
        for (char *const *d = details; d && *d; d += 2)
                if (strcmp(d[0], "method") != 0 && d[1][0])
                        (void) fprintf(f, "%s%s %s", ftell(f) > 0 ? ", " : "", d[0], d[1]);
        return fclose(f) == 0 ? TAKE_PTR(text) : NULL;
}
