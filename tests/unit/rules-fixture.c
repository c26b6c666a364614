/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rules-fixture.h"

#define BOTH_ROLES (ROLE_BIT(ROLE_INITIATOR) | ROLE_BIT(ROLE_TARGET))

World *world_new(void) {
        static const char *const addresses[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "::" };
        World *w = g_new0(World, 1);
        PortalGroup *fast, *both;
        Recorder *r;
        Node *u;

        w->abilities = (Abilities){
                .roles = { [ROLE_INITIATOR] = { true, true }, [ROLE_TARGET] = { true, true } },
                .max = limits_default,
        };
        w->r = r = recorder_new();
        w->model = r->model;
        r->reads = false;

        for (size_t i = 0; i < ELEMENTSOF(addresses); i++)
                add_address(r, addresses[i]);

        fast = add_group(r, 1, "fast");
        both = add_group(r, 2, "both");
        add_group(r, 3, "empty");
        g_assert_cmpint(model_add_member(r->model, both, add_tcp(r, "10.0.0.1:860", fast)), ==, 0);
        g_assert_cmpint(model_add_member(r->model, both, tcp(r, "10.0.0.1:3260")), ==, 0);
        add_tcp(r, "10.0.0.3:860", fast);
        add_tcp(r, "10.0.0.1:5000", NULL);
        add_tcp(r, "10.0.0.1:5001", group(r, 0));
        add_tcp(r, "10.0.9.9:860", group(r, 0));
        add_tcp(r, "10.0.9.9:861", group(r, 0));

        g_assert_cmpint(model_add_node(r->model, NODE_A, "alias of a", BOTH_ROLES, true, &u), ==, 0);
        g_assert_cmpint(model_publish_node(r->model, u), ==, 0);
        add_port(r, u, ROLE_TARGET, 1, "10.0.0.2:3260");
        add_port(r, u, ROLE_INITIATOR, 0x00023D000001, "10.0.0.2");

        u = add_node(r, NODE_T, ROLE_BIT(ROLE_TARGET));
        add_port(r, u, ROLE_TARGET, 2, "10.0.0.2:3260 10.0.0.3:3260");
        add_node(r, NODE_I, ROLE_BIT(ROLE_INITIATOR));

        g_assert_cmpint(model_add_node(r->model, NODE_U, "", BOTH_ROLES, false, &u), ==, 0);
        g_assert_cmpint(model_publish_node(r->model, u), ==, 0);
        add_port(r, u, ROLE_TARGET, 1, "[::]:3260 10.0.0.3:860")->managed = false;
        add_port(r, u, ROLE_INITIATOR, 0x00023D000002, "10.0.0.3")->managed = false;

        recorder_check(r);
        return w;
}

void world_free(World *w) {
        recorder_check(w->r); /* a rule changes nothing */
        recorder_free(w->r);
        g_free(w);
}

Reference reference(World *w, const char *text) {
        return (Reference){ .text = text, .object = model_find_object(w->model, text) };
}
