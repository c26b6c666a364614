/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* TCP endpoints, portal groups and their members, declared addresses. No backend takes part. All changes of them hold one lock,
 * so nothing has to be reserved against others of their kind; what ports rely on is marked as leaving before it is gone. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "change/operations/operations.h"

static int store_portal(const Operation *o, StoreChange *change, StoreVerb verb) {
        return store_change_add(change, &(StoreOperation){
                                                .verb = verb,
                                                .id = o->group ? o->group->id : 0,
                                                .portals = o->portals ? o->portals : &o->tcp->portal,
                                                .n_portals = 1,
                                        });
}

static char *describe_name(const char *what, const char *name) {
        char *text;

        return asprintf(&text, "%s %s", what, name) < 0 ? NULL : text;
}

static char *describe_member(const Operation *o, const char *what, const char *preposition) {
        char *text;

        return asprintf(&text, "%s TCP endpoint %s %s portal group \"%s\"", what, o->tcp->name, preposition,
                        o->group->element_name) < 0
                       ? NULL
                       : text;
}

/* TCP endpoints */

static int create_tcp_store(const Operation *o, StoreChange *change) {
        return store_portal(o, change, STORE_ADD_TCP_ENDPOINT);
}

static int create_tcp_unstore(const Operation *o, StoreChange *change) {
        return store_portal(o, change, STORE_REMOVE_TCP_ENDPOINT);
}

static int create_tcp_settle(Operation *o, Context *c) {
        return model_add_tcp_endpoint(c->model, o->portals, o->group, &o->tcp);
}

static char *create_tcp_describe(const Operation *o) {
        char text[PORTAL_TEXT_MAX];

        return describe_name("Create TCP endpoint", portal_to_text(o->portals, text));
}

static const char *create_tcp_result(const Operation *o) {
        return o->tcp->object.path;
}

static const OperationKind create_tcp = {
        .name = "create-tcp-endpoint",
        .store = create_tcp_store,
        .unstore = create_tcp_unstore,
        .settle = create_tcp_settle,
        .result = create_tcp_result,
        .describe = create_tcp_describe,
};

int plan_create_tcp_endpoint(Plan *p, const Portal *portal, PortalGroup *group) {
        Operation *o;

        o = plan_append(p, &create_tcp);
        if (!o)
                return -ENOMEM;
        o->group = group;
        o->portals = malloc(sizeof(Portal));
        if (!o->portals)
                return -ENOMEM;
        o->portals[0] = *portal;
        o->n_portals = 1;
        return 0;
}

static int delete_tcp_store(const Operation *o, StoreChange *change) {
        return store_portal(o, change, STORE_REMOVE_TCP_ENDPOINT);
}

/* With the memberships that it has. */
static int delete_tcp_unstore(const Operation *o, StoreChange *change) {
        int r = 0;

        for (const Membership *e = o->tcp->groups; e && r >= 0; e = e->next_of_tcp)
                r = store_change_add(change, &(StoreOperation){
                                                     .verb = e == o->tcp->groups ? STORE_ADD_TCP_ENDPOINT : STORE_ADD_MEMBER,
                                                     .id = e->group->id,
                                                     .portals = &o->tcp->portal,
                                                     .n_portals = 1,
                                             });
        return r;
}

static void delete_tcp_release(Operation *o, Context *c) {
        o->tcp->leaving = false;
}

static int delete_tcp_settle(Operation *o, Context *c) {
        o->tcp->leaving = false;
        model_remove_tcp_endpoint(c->model, TAKE_PTR(o->tcp));
        return 0;
}

static char *delete_tcp_describe(const Operation *o) {
        return describe_name("Delete TCP endpoint", o->tcp->name);
}

static const OperationKind delete_tcp = {
        .name = "delete-tcp-endpoint",
        .store = delete_tcp_store,
        .unstore = delete_tcp_unstore,
        .release = delete_tcp_release,
        .settle = delete_tcp_settle,
        .describe = delete_tcp_describe,
};

int plan_delete_tcp_endpoint(Plan *p, TcpEndpoint *tcp) {
        Operation *o;

        o = plan_append(p, &delete_tcp);
        if (!o)
                return -ENOMEM;
        o->tcp = tcp;
        tcp->leaving = true;
        return 0;
}

/* Portal groups */

static int store_group(const Operation *o, StoreChange *change, StoreVerb verb) {
        return store_change_add(change, &(StoreOperation){
                                                .verb = verb,
                                                .id = o->group ? o->group->id : o->number,
                                                .element_name = o->group ? o->group->element_name : o->text,
                                        });
}

static int create_group_store(const Operation *o, StoreChange *change) {
        return store_group(o, change, STORE_ADD_PORTAL_GROUP);
}

static int create_group_unstore(const Operation *o, StoreChange *change) {
        return store_group(o, change, STORE_REMOVE_PORTAL_GROUP);
}

static int create_group_settle(Operation *o, Context *c) {
        c->next_ids[STORED_PORTAL_GROUP] = o->number + 1;
        return model_add_portal_group(c->model, o->number, o->text, &o->group);
}

static char *create_group_describe(const Operation *o) {
        return describe_name("Create portal group", o->text);
}

static const char *create_group_result(const Operation *o) {
        return o->group->object.path;
}

static const OperationKind create_group = {
        .name = "create-portal-group",
        .store = create_group_store,
        .unstore = create_group_unstore,
        .settle = create_group_settle,
        .result = create_group_result,
        .describe = create_group_describe,
};

int plan_create_portal_group(Plan *p, const char *element_name) {
        Operation *o;

        o = plan_append(p, &create_group);
        if (!o)
                return -ENOMEM;
        /* Taken when the group is there: the lock keeps others from it until then. */
        o->number = p->context->next_ids[STORED_PORTAL_GROUP];
        o->text = strdup(element_name);
        return o->text ? 0 : -ENOMEM;
}

static int delete_group_store(const Operation *o, StoreChange *change) {
        return store_group(o, change, STORE_REMOVE_PORTAL_GROUP);
}

static int delete_group_unstore(const Operation *o, StoreChange *change) {
        return store_group(o, change, STORE_ADD_PORTAL_GROUP);
}

static int delete_group_settle(Operation *o, Context *c) {
        model_remove_portal_group(c->model, TAKE_PTR(o->group));
        return 0;
}

static char *delete_group_describe(const Operation *o) {
        return describe_name("Delete portal group", o->group->element_name);
}

static const OperationKind delete_group = {
        .name = "delete-portal-group",
        .store = delete_group_store,
        .unstore = delete_group_unstore,
        .settle = delete_group_settle,
        .describe = delete_group_describe,
};

int plan_delete_portal_group(Plan *p, PortalGroup *group) {
        Operation *o;

        o = plan_append(p, &delete_group);
        if (!o)
                return -ENOMEM;
        o->group = group;
        return 0;
}

/* Members. A new one counts when it is stored, one that goes does not count from the start. An endpoint that the service
 * made for an address goes with it, be it between plan and outcome, unless it is in a group: then it is made again. */

static int add_member_store(const Operation *o, StoreChange *change) {
        return store_portal(o, change, STORE_ADD_MEMBER);
}

static int remove_member_store(const Operation *o, StoreChange *change) {
        return store_portal(o, change, STORE_REMOVE_MEMBER);
}

static int add_member_settle(Operation *o, Context *c) {
        return model_add_member_by_portal(c->model, o->group, o->portals);
}

static char *add_member_describe(const Operation *o) {
        return describe_member(o, "Put", "into");
}

static const OperationKind add_member = {
        .name = "add-member",
        .store = add_member_store,
        .unstore = remove_member_store,
        .settle = add_member_settle,
        .describe = add_member_describe,
};

static int plan_on_member(Plan *p, const OperationKind *kind, PortalGroup *group, TcpEndpoint *tcp) {
        Operation *o;

        o = plan_append(p, kind);
        if (!o)
                return -ENOMEM;
        o->group = group;
        o->tcp = tcp;
        o->portals = malloc(sizeof(Portal));
        if (!o->portals)
                return -ENOMEM;
        o->portals[0] = tcp->portal;
        o->n_portals = 1;
        return 0;
}

int plan_add_member(Plan *p, PortalGroup *group, TcpEndpoint *tcp) {
        return plan_on_member(p, &add_member, group, tcp);
}

static void remove_member_release(Operation *o, Context *c) {
        portal_group_set_leaving(o->group, o->tcp, false);
}

static int remove_member_settle(Operation *o, Context *c) {
        model_remove_member(c->model, o->group, o->tcp);
        return 0;
}

static char *remove_member_describe(const Operation *o) {
        return describe_member(o, "Take", "out of");
}

static const OperationKind remove_member = {
        .name = "remove-member",
        .store = remove_member_store,
        .unstore = add_member_store,
        .release = remove_member_release,
        .settle = remove_member_settle,
        .describe = remove_member_describe,
};

int plan_remove_member(Plan *p, PortalGroup *group, TcpEndpoint *tcp) {
        int r;

        r = plan_on_member(p, &remove_member, group, tcp);
        if (r >= 0)
                portal_group_set_leaving(group, tcp, true);
        return r;
}

/* Declared addresses */

static int store_address(const Operation *o, StoreChange *change, StoreVerb verb) {
        return store_change_add(change, &(StoreOperation){
                                                .verb = verb,
                                                .address = o->portals[0].address,
                                                .element_name = o->text,
                                        });
}

static int declare_store(const Operation *o, StoreChange *change) {
        return store_address(o, change, STORE_ADD_ADDRESS);
}

static int retract_store(const Operation *o, StoreChange *change) {
        return store_address(o, change, STORE_REMOVE_ADDRESS);
}

static int declare_settle(Operation *o, Context *c) {
        int r;

        r = model_declare_address(c->model, &o->portals[0].address, o->text);
        if (r < 0)
                return r;
        o->ip = model_find_ip_endpoint(c->model, &o->portals[0].address);
        return 0;
}

static int retract_settle(Operation *o, Context *c) {
        o->ip->leaving = false;
        model_undeclare_address(c->model, TAKE_PTR(o->ip));
        return 0;
}

static char *describe_address(const Operation *o, const char *what) {
        char text[IP_ADDRESS_TEXT_MAX];

        return describe_name(what, ip_address_to_text(&o->portals[0].address, text));
}

static char *declare_describe(const Operation *o) {
        return describe_address(o, "Declare address");
}

static char *retract_describe(const Operation *o) {
        return describe_address(o, "Take back the declared address");
}

static const char *declare_result(const Operation *o) {
        return o->ip->object.path;
}

static const OperationKind declare_address = {
        .name = "declare-address",
        .store = declare_store,
        .unstore = retract_store,
        .settle = declare_settle,
        .result = declare_result,
        .describe = declare_describe,
};

static void retract_release(Operation *o, Context *c) {
        o->ip->leaving = false;
}

static const OperationKind retract_address = {
        .name = "retract-address",
        .store = retract_store,
        .unstore = declare_store,
        .release = retract_release,
        .settle = retract_settle,
        .describe = retract_describe,
};

static int plan_on_address(Plan *p, const OperationKind *kind, const IpAddress *address, const char *element_name) {
        Operation *o;

        o = plan_append(p, kind);
        if (!o)
                return -ENOMEM;
        o->portals = calloc(1, sizeof(Portal));
        o->text = strdup(element_name);
        if (!o->portals || !o->text)
                return -ENOMEM;
        o->portals[0].address = *address;
        o->n_portals = 1;
        return 0;
}

int plan_declare_address(Plan *p, const IpAddress *address, const char *element_name) {
        return plan_on_address(p, &declare_address, address, element_name);
}

int plan_retract_address(Plan *p, IpEndpoint *ip) {
        int r;

        r = plan_on_address(p, &retract_address, &ip->address, ip->element_name ? ip->element_name : "");
        if (r < 0)
                return r;
        p->operations[p->n_operations - 1]->ip = ip;
        ip->leaving = true;
        return 0;
}
