/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/tcp-endpoint.h"

#include <errno.h>
#include <string.h>

#include "common/macro.h"
#include "model/ip-endpoint.h"
#include "model/object.h"
#include "model/private.h"

/* Its own path, and BindsTo. */
static size_t size_of_tcp_endpoint(const TcpEndpoint *t) {
        return SIZE_OF_OBJECT + SIZE_OF_PATH_ROOT + size_of_element(t->name) + SIZE_OF_PATH_ROOT + size_of_element(t->ip->name);
}

/* What the service made unasked is not held against callers. */
static size_t *bytes_of_tcp_endpoint(Model *m, const TcpEndpoint *t) {
        return t->automatic ? &m->counts.automatic_bytes : &m->counts.bytes;
}

/* MemberOfCollection of the endpoint. */
static size_t size_of_membership(_unused_ const Membership *e) {
        return SIZE_OF_GROUP_PATH;
}

static size_t *bytes_of_membership(Model *m, const Membership *e) {
        return e->group->id == 0 && e->tcp->automatic ? &m->counts.automatic_bytes : &m->counts.bytes;
}

TcpEndpoint *model_find_tcp_endpoint(Model *m, const Portal *portal) {
        char text[PORTAL_TEXT_MAX];
        TcpEndpoint *t;

        portal_to_text(portal, text);
        HASH_FIND_STR(m->tcp_endpoints, text, t);
        return t;
}

static int membership_new(Model *m, PortalGroup *g, TcpEndpoint *t) {
        Membership *e;

        e = calloc(1, sizeof(*e));
        if (!e)
                return -ENOMEM;
        e->group = g;
        e->tcp = t;
        LIST_ADD(g->members, e, next_of_group, link_of_group);
        LIST_ADD(t->groups, e, next_of_tcp, link_of_tcp);
        *bytes_of_membership(m, e) += size_of_membership(e);
        return 0;
}

static void membership_free(Model *m, Membership *e) {
        *bytes_of_membership(m, e) -= size_of_membership(e);
        LIST_REMOVE(e, next_of_group, link_of_group);
        LIST_REMOVE(e, next_of_tcp, link_of_tcp);
        free(e);
}

void model_leave_groups(Model *m, TcpEndpoint *t) {
        if (!t->groups)
                return;

        while (t->groups) {
                PortalGroup *g = t->groups->group;

                membership_free(m, t->groups);
                object_tell_changed(m, &g->object, "Members");
        }
        object_tell_changed(m, &t->object, "MemberOfCollection");
}

static void tcp_endpoint_free(Model *m, TcpEndpoint *t) {
        object_retract(m, &t->object);
        model_leave_groups(m, t);

        *bytes_of_tcp_endpoint(m, t) -= size_of_tcp_endpoint(t);
        HASH_DELETE(hh, m->tcp_endpoints, t);
        LIST_REMOVE(t, next_of_ip, link_of_ip);
        if (!t->automatic)
                m->counts.tcp_endpoints--;
        object_tell_changed(m, &t->ip->object, "BoundBy");
        free(t->name);
        free(t);
}

void endpoint_release_tcp(Model *m, TcpEndpoint *t) {
        IpEndpoint *ip = t->ip;

        if (!t->automatic || t->bound_by || (ip_endpoint_is_known(ip) && t->portal.port == ISCSI_PORT_DEFAULT))
                return;
        for (Membership *e = t->groups; e; e = e->next_of_tcp)
                if (e->group->id != 0)
                        return;

        tcp_endpoint_free(m, t);
        endpoint_release_ip(m, ip);
}

int endpoint_acquire_tcp(Model *m, const Portal *portal, bool automatic, PortalGroup *group, TcpEndpoint **ret) {
        char text[PORTAL_TEXT_MAX];
        TcpEndpoint *t;
        IpEndpoint *ip;
        int r;

        t = model_find_tcp_endpoint(m, portal);
        if (t) {
                *ret = t;
                return 0;
        }

        r = endpoint_acquire_ip(m, &portal->address, &ip);
        if (r < 0)
                return r;

        t = calloc(1, sizeof(*t));
        if (!t) {
                endpoint_release_ip(m, ip);
                return -ENOMEM;
        }
        t->object.type = OBJECT_TCP_ENDPOINT;
        t->portal = *portal;
        t->ip = ip;
        t->automatic = automatic;
        if (!automatic)
                m->counts.tcp_endpoints++;
        LIST_ADD(ip->tcp_endpoints, t, next_of_ip, link_of_ip);
        t->name = strdup(portal_to_text(portal, text));
        if (!t->name) {
                LIST_REMOVE(t, next_of_ip, link_of_ip);
                if (!automatic)
                        m->counts.tcp_endpoints--;
                free(t);
                endpoint_release_ip(m, ip);
                return -ENOMEM;
        }
        HASH_ADD_KEYPTR(hh, m->tcp_endpoints, t->name, strlen(t->name), t);
        *bytes_of_tcp_endpoint(m, t) += size_of_tcp_endpoint(t);

        r = group ? membership_new(m, group, t) : 0;
        if (r >= 0)
                r = object_publish(m, &t->object);
        if (r < 0) {
                tcp_endpoint_free(m, t);
                endpoint_release_ip(m, ip);
                return r;
        }
        if (group)
                object_tell_changed(m, &group->object, "Members");
        object_tell_changed(m, &ip->object, "BoundBy");

        *ret = t;
        return 0;
}

int model_add_tcp_endpoint(Model *m, const Portal *portal, PortalGroup *group, TcpEndpoint **ret) {
        if (model_find_tcp_endpoint(m, portal))
                return -EEXIST;

        return endpoint_acquire_tcp(m, portal, false, group, ret);
}

void model_remove_tcp_endpoint(Model *m, TcpEndpoint *t) {
        IpEndpoint *ip = t->ip;

        tcp_endpoint_free(m, t);
        endpoint_release_ip(m, ip);
}

void tcp_endpoint_reset(Model *m, TcpEndpoint *t) {
        if (t->automatic)
                return;

        /* Whoever binds to it now is another program, and stays. */
        if (t->bound_by) {
                t->doubtful = true;
                model_leave_groups(m, t);
        } else
                model_remove_tcp_endpoint(m, t);
}

static Membership *membership_find(const PortalGroup *g, const TcpEndpoint *t) {
        /* An endpoint is in few groups; a group may have many endpoints. */
        for (Membership *e = t->groups; e; e = e->next_of_tcp)
                if (e->group == g)
                        return e;

        return NULL;
}

int model_set_tcp_endpoint_automatic(Model *m, TcpEndpoint *t, bool automatic, PortalGroup *g) {
        bool joins = automatic && !membership_find(g, t);
        int r;

        if (t->automatic == automatic)
                return 0;

        object_retract(m, &t->object);
        *bytes_of_tcp_endpoint(m, t) -= size_of_tcp_endpoint(t);
        for (Membership *e = t->groups; e; e = e->next_of_tcp)
                *bytes_of_membership(m, e) -= size_of_membership(e);
        t->automatic = automatic;
        *bytes_of_tcp_endpoint(m, t) += size_of_tcp_endpoint(t);
        for (Membership *e = t->groups; e; e = e->next_of_tcp)
                *bytes_of_membership(m, e) += size_of_membership(e);
        if (automatic)
                m->counts.tcp_endpoints--;
        else
                m->counts.tcp_endpoints++;

        r = joins ? membership_new(m, g, t) : 0;
        if (r >= 0)
                r = object_publish(m, &t->object);
        if (joins && r >= 0)
                object_tell_changed(m, &g->object, "Members");
        endpoint_release_tcp(m, t);
        return r;
}

bool portal_group_has_member(const PortalGroup *g, const TcpEndpoint *t) {
        const Membership *e = membership_find(g, t);

        return e && !e->leaving;
}

void portal_group_set_leaving(PortalGroup *g, TcpEndpoint *t, bool leaving) {
        Membership *e = membership_find(g, t);

        if (e)
                e->leaving = leaving;
}

int model_add_member(Model *m, PortalGroup *g, TcpEndpoint *t) {
        int r;

        if (membership_find(g, t))
                return 0;

        r = membership_new(m, g, t);
        if (r < 0)
                return r;

        object_tell_changed(m, &t->object, "MemberOfCollection");
        object_tell_changed(m, &g->object, "Members");
        return 0;
}

void model_remove_member(Model *m, PortalGroup *g, TcpEndpoint *t) {
        Membership *e;

        e = membership_find(g, t);
        if (!e)
                return;

        membership_free(m, e);
        object_tell_changed(m, &t->object, "MemberOfCollection");
        object_tell_changed(m, &g->object, "Members");
        endpoint_release_tcp(m, t);
}
