/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Create and delete TCP endpoints and portal groups, and put the ones into the others. They are modelled, not in force: no backend has to do
 * anything for them until a port binds to them. */

#include <errno.h>

#include "bus/methods.h"

static const char *const portal_details[] = { "portals", "group", NULL };
static const char *const endpoint_details[] = { "portals", NULL };
static const char *const group_details[] = { "group", NULL };

static int create_tcp_endpoint_check(Change *c, char **ret_why) {
        const Arguments *a = &c->arguments;
        TcpEndpointPlan plan;
        int r;

        r = check_create_tcp_endpoint(c->manager->model, &c->manager->abilities, a->paths, a->number, a->paths + 1, &plan,
                                      ret_why);
        if (r != 0)
                return r;

        c->plan.portals = malloc(sizeof(Portal));
        if (!c->plan.portals)
                return -ENOMEM;
        c->plan.portals[0] = plan.portal;
        c->plan.n_portals = 1;
        c->plan.group = plan.group;
        return 0;
}

static int create_tcp_endpoint_save(Change *c) {
        return store_add_tcp_endpoint(c->manager->store, c->plan.portals, c->plan.group->id);
}

static int create_tcp_endpoint_unsave(Change *c) {
        return store_remove_tcp_endpoint(c->manager->store, c->plan.portals);
}

static int create_tcp_endpoint_finish(Change *c, const char **ret_path) {
        TcpEndpoint *t;
        int r;

        r = model_add_tcp_endpoint(c->manager->model, c->plan.portals, c->plan.group, &t);
        if (r < 0)
                return r;

        *ret_path = t->object.path;
        return 0;
}

const ChangeKind change_create_tcp_endpoint = {
        .method = METHOD_CREATE_TCP_PROTOCOL_ENDPOINT,
        .in = "oqoa{sv}",
        .out = "o",
        .names = "IPEndpoint\0PortNumber\0PortalGroup\0Options\0TCPEndpoint\0",
        .action = ACTION("manage-portals"),
        .details = portal_details,
        .check = create_tcp_endpoint_check,
        .save = create_tcp_endpoint_save,
        .unsave = create_tcp_endpoint_unsave,
        .finish = create_tcp_endpoint_finish,
};

static int delete_tcp_endpoint_check(Change *c, char **ret_why) {
        return check_delete_tcp_endpoint(c->manager->model, c->arguments.paths, &c->plan.tcp, ret_why);
}

static int delete_tcp_endpoint_save(Change *c) {
        return store_remove_tcp_endpoint(c->manager->store, &c->plan.tcp->portal);
}

static int delete_tcp_endpoint_finish(Change *c, const char **ret_path) {
        model_remove_tcp_endpoint(c->manager->model, TAKE_PTR(c->plan.tcp));
        return 0;
}

const ChangeKind change_delete_tcp_endpoint = {
        .method = METHOD_DELETE_TCP_PROTOCOL_ENDPOINT,
        .in = "o",
        .out = "",
        .names = "TCPEndpoint\0",
        .action = ACTION("manage-portals"),
        .details = endpoint_details,
        .check = delete_tcp_endpoint_check,
        .saves_last = true,
        .save = delete_tcp_endpoint_save,
        .finish = delete_tcp_endpoint_finish,
};

static int create_portal_group_check(Change *c, char **ret_why) {
        return check_create_portal_group(c->manager->model, &c->manager->abilities, c->arguments.text, ret_why);
}

static int create_portal_group_save(Change *c) {
        return store_add_portal_group(c->manager->store, c->arguments.text, &c->plan.group_id);
}

static int create_portal_group_unsave(Change *c) {
        return store_remove_portal_group(c->manager->store, c->plan.group_id);
}

static int create_portal_group_finish(Change *c, const char **ret_path) {
        PortalGroup *g;
        int r;

        r = model_add_portal_group(c->manager->model, c->plan.group_id, c->arguments.text, &g);
        if (r < 0)
                return r;

        *ret_path = g->object.path;
        return 0;
}

const ChangeKind change_create_portal_group = {
        .method = METHOD_CREATE_PORTAL_GROUP,
        .in = "sa{sv}",
        .out = "o",
        .names = "ElementName\0Options\0PortalGroup\0",
        .action = ACTION("manage-portals"),
        .details = group_details,
        .check = create_portal_group_check,
        .save = create_portal_group_save,
        .unsave = create_portal_group_unsave,
        .finish = create_portal_group_finish,
};

static int delete_portal_group_check(Change *c, char **ret_why) {
        return check_delete_portal_group(c->manager->model, c->arguments.paths, &c->plan.group, ret_why);
}

static int delete_portal_group_save(Change *c) {
        return store_remove_portal_group(c->manager->store, c->plan.group->id);
}

static int delete_portal_group_finish(Change *c, const char **ret_path) {
        model_remove_portal_group(c->manager->model, TAKE_PTR(c->plan.group));
        return 0;
}

const ChangeKind change_delete_portal_group = {
        .method = METHOD_DELETE_PORTAL_GROUP,
        .in = "o",
        .out = "",
        .names = "PortalGroup\0",
        .action = ACTION("manage-portals"),
        .details = group_details,
        .check = delete_portal_group_check,
        .saves_last = true,
        .save = delete_portal_group_save,
        .finish = delete_portal_group_finish,
};

static int add_member_check(Change *c, char **ret_why) {
        return check_add_member(c->manager->model, c->arguments.paths, c->arguments.paths + 1, &c->plan.group, &c->plan.tcp,
                                ret_why);
}

static int save_member(Change *c) {
        return store_add_member(c->manager->store, c->plan.group->id, &c->plan.tcp->portal);
}

static int save_no_member(Change *c) {
        return store_remove_member(c->manager->store, c->plan.group->id, &c->plan.tcp->portal);
}

static int add_member_finish(Change *c, const char **ret_path) {
        return model_add_member(c->manager->model, c->plan.group, c->plan.tcp);
}

const ChangeKind change_add_member = {
        .method = METHOD_ADD_TO_PORTAL_GROUP,
        .in = "oo",
        .out = "",
        .names = "PortalGroup\0TCPEndpoint\0",
        .action = ACTION("manage-portals"),
        .details = portal_details,
        .check = add_member_check,
        .save = save_member,
        .unsave = save_no_member,
        .finish = add_member_finish,
};

static int remove_member_check(Change *c, char **ret_why) {
        return check_remove_member(c->manager->model, c->arguments.paths, c->arguments.paths + 1, &c->plan.group, &c->plan.tcp,
                                   ret_why);
}

static int remove_member_finish(Change *c, const char **ret_path) {
        model_remove_member(c->manager->model, c->plan.group, c->plan.tcp);
        return 0;
}

const ChangeKind change_remove_member = {
        .method = METHOD_REMOVE_FROM_PORTAL_GROUP,
        .in = "oo",
        .out = "",
        .names = "PortalGroup\0TCPEndpoint\0",
        .action = ACTION("manage-portals"),
        .details = portal_details,
        .check = remove_member_check,
        .saves_last = true,
        .save = save_no_member,
        .finish = remove_member_finish,
};
