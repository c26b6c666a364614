/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The states of ports and nodes: how they follow from what was seen, from addresses that come and go, and from each other. */

#include <errno.h>
#include <string.h>

#include "model/state.h"
#include "model-fixture.h"

#define A "iqn.2001-04.com.example:a"
#define NODE "/node/" A
#define PORT NODE "/000000000001"
#define BOTH_ROLES (ROLE_BIT(ROLE_INITIATOR) | ROLE_BIT(ROLE_TARGET))
#define WAITS " waits for its address, which is not on this host"

/* 10.0.0.1 is on the host, 10.0.0.9 is not; 10.0.0.8 is declared and not on the host. */
static const struct {
        const char *portals;
        bool foreign, wanted_off, seen_off;
        const char *listening; /* a letter per portal: 'y' or 'n'; NULL: none listens */
        const char *drift, *why;

        unsigned enabled_state, operational_status;
        const char *text, *listening_on;
} cases[] = {
        /* All, some, none. */
        { "10.0.0.1:3260", .listening = "y", .enabled_state = 2, .operational_status = 2, .text = "In force",
          .listening_on = "/tcp/10.0.0.1:3260" },
        { "10.0.0.1:3260 10.0.0.1:860", .listening = "yy", .enabled_state = 2, .operational_status = 2, .text = "In force",
          .listening_on = "/tcp/10.0.0.1:3260 /tcp/10.0.0.1:860" },
        { "10.0.0.1:3260 10.0.0.1:860", .listening = "ny", .enabled_state = 2, .operational_status = 3,
          .text = "Partly in force: portal 10.0.0.1:3260 does not listen", .listening_on = "/tcp/10.0.0.1:860" },
        { "10.0.0.1:3260 10.0.0.1:860", .listening = "nn", .enabled_state = 6, .operational_status = 3,
          .text = "Not in force: portal 10.0.0.1:3260 does not listen; portal 10.0.0.1:860 does not listen", .listening_on = "" },
        { "10.0.0.1:3260", .enabled_state = 6, .operational_status = 3,
          .text = "Not in force: portal 10.0.0.1:3260 does not listen", .listening_on = "" },

        /* A socket that listens on an address which is not here serves nobody. */
        { "10.0.0.9:3260", .listening = "y", .enabled_state = 6, .operational_status = 3,
          .text = "Not in force: portal 10.0.0.9:3260" WAITS, .listening_on = "" },
        { "10.0.0.9:3260", .listening = "n", .enabled_state = 6, .operational_status = 3,
          .text = "Not in force: portal 10.0.0.9:3260" WAITS, .listening_on = "" },
        { "10.0.0.8:3260", .listening = "y", .enabled_state = 6, .operational_status = 3,
          .text = "Not in force: portal 10.0.0.8:3260" WAITS, .listening_on = "" },
        { "10.0.0.9:3260 10.0.0.1:3260", .listening = "yy", .enabled_state = 2, .operational_status = 3,
          .text = "Partly in force: portal 10.0.0.9:3260" WAITS, .listening_on = "/tcp/10.0.0.1:3260" },
        { "10.0.0.9:3260 10.0.0.1:3260", .listening = "yn", .enabled_state = 6, .operational_status = 3,
          .text = "Not in force: portal 10.0.0.9:3260" WAITS "; portal 10.0.0.1:3260 does not listen", .listening_on = "" },

        /* A wildcard needs no address, whether there is an object for it or not. */
        { "0.0.0.0:3260", .listening = "y", .enabled_state = 2, .operational_status = 2, .text = "In force",
          .listening_on = "/tcp/0.0.0.0:3260" },
        { "[::]:3260", .listening = "y", .enabled_state = 2, .operational_status = 2, .text = "In force",
          .listening_on = "/tcp/[::]:3260" },
        { "[::]:3260", .listening = "n", .enabled_state = 6, .operational_status = 3,
          .text = "Not in force: portal [::]:3260 does not listen", .listening_on = "" },

        /* Why it could not be put into force stands in place of what is seen anyway. */
        { "10.0.0.1:3260 10.0.0.1:860", .listening = "yn", .why = "another program has TCP port 860", .enabled_state = 2,
          .operational_status = 3, .text = "Partly in force: another program has TCP port 860",
          .listening_on = "/tcp/10.0.0.1:3260" },
        { "10.0.0.9:3260 10.0.0.1:860", .listening = "nn", .why = "another program has TCP port 860", .enabled_state = 6,
          .operational_status = 3, .text = "Not in force: another program has TCP port 860; portal 10.0.0.9:3260" WAITS,
          .listening_on = "" },

        /* Other than desired. */
        { "10.0.0.1:3260", .listening = "y", .drift = "it is also on portal 10.0.0.1:860", .enabled_state = 2,
          .operational_status = 3, .text = "Drifted: it is also on portal 10.0.0.1:860", .listening_on = "/tcp/10.0.0.1:3260" },
        { "10.0.0.1:3260", .listening = "n", .drift = "it is also on portal 10.0.0.1:860", .enabled_state = 6,
          .operational_status = 3,
          .text = "Not in force: it is also on portal 10.0.0.1:860; portal 10.0.0.1:3260 does not listen", .listening_on = "" },

        /* Not enabled: its portals may have sockets, but nobody can log in. */
        { "10.0.0.1:3260", .seen_off = true, .listening = "y", .enabled_state = 6, .operational_status = 3,
          .text = "Not in force: it is not enabled in the kernel", .listening_on = "" },
        { "10.0.0.1:3260", .seen_off = true, .drift = "another program removed it", .enabled_state = 6, .operational_status = 3,
          .text = "Not in force: another program removed it", .listening_on = "" },
        { "10.0.0.1:3260", .seen_off = true, .why = "the lock is held", .enabled_state = 6, .operational_status = 3,
          .text = "Not in force: the lock is held", .listening_on = "" },

        /* Switched off on request. */
        { "10.0.0.1:3260", .wanted_off = true, .seen_off = true, .listening = "y", .enabled_state = 3, .operational_status = 10,
          .text = "Switched off on request", .listening_on = "" },
        { "10.0.0.9:3260", .wanted_off = true, .seen_off = true, .enabled_state = 3, .operational_status = 10,
          .text = "Switched off on request", .listening_on = "" },
        { "10.0.0.1:3260", .wanted_off = true, .seen_off = true, .drift = "another program removed it", .enabled_state = 3,
          .operational_status = 10, .text = "Switched off on request: another program removed it", .listening_on = "" },
        { "10.0.0.1:3260", .wanted_off = true, .listening = "y", .enabled_state = 2, .operational_status = 3,
          .text = "Drifted: it is switched on, but was switched off on request", .listening_on = "/tcp/10.0.0.1:3260" },

        /* Another program's: it is desired as it is. */
        { "10.0.0.1:3260", .foreign = true, .listening = "y", .enabled_state = 2, .operational_status = 2, .text = "In force",
          .listening_on = "/tcp/10.0.0.1:3260" },
        { "10.0.0.1:3260", .foreign = true, .seen_off = true, .enabled_state = 3, .operational_status = 10, .text = "Not enabled",
          .listening_on = "" },
        { "10.0.0.1:3260", .foreign = true, .wanted_off = true, .listening = "y", .enabled_state = 2, .operational_status = 2,
          .text = "In force", .listening_on = "/tcp/10.0.0.1:3260" },
        { "", .foreign = true, .enabled_state = 6, .operational_status = 3, .text = "Not in force: it has no portal",
          .listening_on = "" },

        /* An initiator port listens on nothing: its addresses count. */
        { "10.0.0.1", .enabled_state = 2, .operational_status = 2, .text = "In force", .listening_on = "" },
        { "10.0.0.1 10.0.0.9", .enabled_state = 2, .operational_status = 3, .text = "Partly in force: portal 10.0.0.9" WAITS,
          .listening_on = "" },
        { "10.0.0.9", .enabled_state = 6, .operational_status = 3, .text = "Not in force: portal 10.0.0.9" WAITS,
          .listening_on = "" },

        /* However many: the text stays short. */
        { "10.9.0.1:1 10.9.0.2:1 10.9.0.3:1 10.9.0.4:1 10.9.0.5:1 10.9.0.6:1 10.9.0.7:1 10.9.0.8:1 10.9.0.9:1 10.9.0.10:1",
          .listening = "yyyyyyyyyy", .enabled_state = 6, .operational_status = 3,
          .text = "Not in force: portal 10.9.0.1:1" WAITS "; portal 10.9.0.2:1" WAITS "; portal 10.9.0.3:1" WAITS
                  "; portal 10.9.0.4:1" WAITS "; portal 10.9.0.5:1" WAITS "; portal 10.9.0.6:1" WAITS "; portal 10.9.0.7:1" WAITS
                  "; portal 10.9.0.8:1" WAITS "; and 2 more portals",
          .listening_on = "" },
};

static Recorder *recorder_with_addresses(void) {
        Recorder *r = recorder_new();
        IpAddress declared = address("10.0.0.8");

        add_address(r, "10.0.0.1");
        g_assert_cmpint(model_declare_address(r->model, &declared, ""), ==, 0);
        return r;
}

static void assert_object_property(const Object *o, const char *name, const char *expected) {
        g_autofree char *value = object_property(o, name);

        g_assert_cmpstr(value, ==, expected);
}

static void assert_state(const Object *o, unsigned enabled_state, unsigned operational_status, const char *text) {
        g_autofree char *q = g_strdup_printf("%u", enabled_state), *aq = g_strdup_printf("%u", operational_status),
                        *as = g_strdup_printf("[\"%s\"]", text);

        assert_object_property(o, "StatusDescriptions", as);
        assert_object_property(o, "EnabledState", q);
        assert_object_property(o, "OperationalStatus", aq);
}

static void observe(Recorder *r, Port *p, const char *letters, const PortObservation *o) {
        bool listening[64] = {};
        PortObservation copy = *o;

        for (size_t i = 0; letters && letters[i]; i++)
                listening[i] = letters[i] == 'y';
        if (letters) {
                g_assert_cmpuint(strlen(letters), ==, p->n_bindings);
                copy.listening = listening;
        }
        model_set_port_observed(r->model, p, &copy);
}

static void test_derived(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(Recorder) r = recorder_with_addresses();
                bool target = strchr(cases[i].portals, ':') || !cases[i].portals[0];
                Node *n = add_node(r, A, BOTH_ROLES);
                g_autofree char *node_text = NULL;
                Port *p;

                g_test_message("case %zu: %s", i, cases[i].portals);
                model_set_node_state(r->model, n, STATE_IN_FORCE, NULL);
                p = add_port(r, n, target ? ROLE_TARGET : ROLE_INITIATOR, 1, cases[i].portals);
                model_set_node_managed(r->model, n, !cases[i].foreign);
                model_set_port_enabled(r->model, p, !cases[i].wanted_off);
                observe(r, p, cases[i].listening,
                        &(PortObservation){ .enabled = !cases[i].seen_off, .drift = cases[i].drift, .why = cases[i].why });

                assert_state(&p->object, cases[i].enabled_state, cases[i].operational_status, cases[i].text);
                assert_object_property(&p->object, "ListeningOn", cases[i].listening_on);

                /* The node of this one port is as well as the port is; one that is switched off is well. */
                node_text = cases[i].operational_status == 3 ? g_strdup_printf("Port 000000000001: %s", cases[i].text)
                                                             : g_strdup("In force");
                if (cases[i].operational_status == 3)
                        assert_state(&n->object, cases[i].enabled_state, 3, node_text);
                else
                        assert_state(&n->object, 2, 2, node_text);
                recorder_check(r);

                /* Seen once more: nothing to tell. */
                recorder_forget(r);
                observe(r, p, cases[i].listening,
                        &(PortObservation){ .enabled = !cases[i].seen_off, .drift = cases[i].drift, .why = cases[i].why });
                recorder_assert_told(r);
        }
}

/* States without evidence. */
static void test_set(void) {
        static const struct {
                ObjectState state;
                unsigned enabled_state, operational_status;
                const char *text;
        } set[] = {
                { STATE_STARTING, 10, 8, "Not looked at yet" }, { STATE_UNKNOWN, 0, 0, "Unknown" },
                { STATE_DEGRADED, 6, 3, "Not in force" },       { STATE_DISABLED, 3, 10, "Not enabled" },
                { STATE_PARTLY, 2, 3, "Partly in force" },      { STATE_DRIFTED, 2, 3, "Drifted" },
        };
        g_autoptr(Recorder) r = recorder_with_addresses();
        Node *n = add_node(r, A, BOTH_ROLES);
        Port *p = add_port(r, n, ROLE_TARGET, 1, "10.0.0.1:3260");

        for (size_t i = 0; i < G_N_ELEMENTS(set); i++) {
                model_set_port_state(r->model, p, STATE_IN_FORCE, NULL);
                assert_state(&p->object, 2, 2, "In force");
                assert_object_property(&p->object, "ListeningOn", "/tcp/10.0.0.1:3260");

                model_set_port_state(r->model, p, set[i].state, NULL);
                assert_state(&p->object, set[i].enabled_state, set[i].operational_status, set[i].text);
                model_set_port_state(r->model, p, set[i].state, "why");
                assert_state(&p->object, set[i].enabled_state, set[i].operational_status, "why");
                assert_object_property(&p->object, "ListeningOn", ""); /* nothing was seen */
                recorder_check(r);

                /* Addresses say nothing about it. */
                recorder_forget(r);
                remove_address(r, "10.0.0.1");
                recorder_assert_told(r, "- /ip/10.0.0.1", "~ /tcp/10.0.0.1:3260 BindsTo");
                add_address(r, "10.0.0.1");
        }
}

/* What is told, and no more. */
static void test_told(void) {
        static const PortObservation on = { .enabled = true };
        g_autoptr(Recorder) r = recorder_with_addresses();
        Node *n = add_node(r, A, BOTH_ROLES);
        Port *p;

        model_set_node_state(r->model, n, STATE_IN_FORCE, NULL);
        p = add_port(r, n, ROLE_TARGET, 1, "10.0.0.1:3260 10.0.0.1:860");
        recorder_forget(r);

        observe(r, p, "yy", &on);
        recorder_assert_told(r, "~ " PORT " EnabledState OperationalStatus StatusDescriptions ListeningOn",
                             "~ " NODE " EnabledState OperationalStatus StatusDescriptions");
        observe(r, p, "yn", &on);
        recorder_assert_told(r, "~ " PORT " OperationalStatus StatusDescriptions ListeningOn",
                             "~ " NODE " OperationalStatus StatusDescriptions");
        observe(r, p, "ny", &on); /* as many, but others */
        recorder_assert_told(r, "~ " PORT " StatusDescriptions ListeningOn", "~ " NODE " StatusDescriptions");
        observe(r, p, "ny", &(PortObservation){ .enabled = true, .why = "why" });
        recorder_assert_told(r, "~ " PORT " StatusDescriptions", "~ " NODE " StatusDescriptions");
        observe(r, p, "yy", &(PortObservation){ .enabled = true, .drift = "other" });
        recorder_assert_told(r, "~ " PORT " StatusDescriptions ListeningOn", "~ " NODE " StatusDescriptions");
        observe(r, p, "yy", &on);
        recorder_assert_told(r, "~ " PORT " OperationalStatus StatusDescriptions",
                             "~ " NODE " OperationalStatus StatusDescriptions");

        model_set_port_enabled(r->model, p, true);
        recorder_assert_told(r);
        model_set_port_enabled(r->model, p, false);
        recorder_assert_told(r, "~ " PORT " RequestedState OperationalStatus StatusDescriptions",
                             "~ " NODE " OperationalStatus StatusDescriptions");
        observe(r, p, "yy", &(PortObservation){});
        recorder_assert_told(r, "~ " PORT " EnabledState OperationalStatus StatusDescriptions ListeningOn",
                             "~ " NODE " OperationalStatus StatusDescriptions");
        assert_object_property(&p->object, "RequestedState", "3");
        model_set_node_managed(r->model, n, false);
        recorder_assert_told(r, "~ " NODE " Managed", "~ " PORT " Managed RequestedState", "~ " PORT " StatusDescriptions");
        assert_object_property(&p->object, "RequestedState", "12");

        /* Taken into our care again it is desired as it is: off. */
        model_set_node_managed(r->model, n, true);
        recorder_assert_told(r, "~ " NODE " Managed", "~ " PORT " Managed RequestedState", "~ " PORT " StatusDescriptions");
        assert_object_property(&p->object, "RequestedState", "3");
        recorder_check(r);

        /* One that ends with this boot of the host does not any more. */
        n->persistent = false;
        model_set_node_managed(r->model, n, false);
        recorder_assert_told(r, "~ " NODE " Managed Persistent", "~ " PORT " Managed RequestedState",
                             "~ " PORT " StatusDescriptions");
        assert_object_property(&n->object, "Persistent", "true");
        model_set_node_managed(r->model, n, true);
        recorder_forget(r);
        assert_object_property(&n->object, "Persistent", "true");
}

/* Addresses that come and go change the states of ports bound to them, whatever stands in between. */
static void test_addresses(void) {
        static const PortObservation on = { .enabled = true };
        g_autoptr(Recorder) r = recorder_with_addresses();
        IpAddress declared = address("10.0.0.8");
        Node *n = add_node(r, A, BOTH_ROLES);
        Port *p, *i;

        model_set_node_state(r->model, n, STATE_IN_FORCE, NULL);
        p = add_port(r, n, ROLE_TARGET, 1, "10.0.0.1:3260 10.0.0.1:860 10.0.0.8:3260");
        i = add_port(r, n, ROLE_INITIATOR, 0x800000000001, "10.0.0.1");
        observe(r, p, "yyy", &on);
        observe(r, i, NULL, &on);
        recorder_forget(r);

        add_address(r, "10.0.0.8");
        recorder_assert_told(r, "~ /ip/10.0.0.8 Present SubnetMask PrefixLength AddressOrigin InterfaceName",
                             "~ " PORT " OperationalStatus StatusDescriptions ListeningOn",
                             "~ " NODE " OperationalStatus StatusDescriptions");
        assert_state(&p->object, 2, 2, "In force");
        recorder_check(r);

        /* The port hears it once, on however many of the address' TCP ports it is. */
        remove_address(r, "10.0.0.1");
        recorder_assert_told(r, "- /ip/10.0.0.1", "~ /tcp/10.0.0.1:860 BindsTo",
                             "~ " PORT " OperationalStatus StatusDescriptions ListeningOn",
                             "~ " NODE " OperationalStatus StatusDescriptions", "~ /tcp/10.0.0.1:3260 BindsTo",
                             "~ " NODE "/800000000001 BindsTo EnabledState OperationalStatus StatusDescriptions",
                             "~ " NODE " EnabledState StatusDescriptions");
        assert_state(&n->object, 6, 3,
                     "Port 800000000001: Not in force: portal 10.0.0.1" WAITS "; 1 more port is not as desired");
        recorder_check(r);

        /* A declared address goes without its object. */
        remove_address(r, "10.0.0.8");
        recorder_assert_told(r, "~ /ip/10.0.0.8 Present SubnetMask PrefixLength AddressOrigin InterfaceName",
                             "~ " PORT " EnabledState StatusDescriptions ListeningOn", "~ " NODE " StatusDescriptions");
        assert_state(&p->object, 6, 3,
                     "Not in force: portal 10.0.0.1:3260" WAITS "; portal 10.0.0.1:860" WAITS "; portal 10.0.0.8:3260" WAITS);
        assert_state(&n->object, 6, 3,
                     "Port 000000000001: Not in force: portal 10.0.0.1:3260" WAITS "; portal 10.0.0.1:860" WAITS
                     "; portal 10.0.0.8:3260" WAITS "; 1 more port is not as desired");
        recorder_check(r);

        add_address(r, "10.0.0.1");
        assert_state(&i->object, 2, 2, "In force");
        assert_state(&n->object, 2, 3, "Port 000000000001: Partly in force: portal 10.0.0.8:3260" WAITS);
        recorder_check(r);

        /* No longer declared: the object goes, and what a port needs stays behind. */
        recorder_forget(r);
        model_undeclare_address(r->model, ip(r, "10.0.0.8"));
        recorder_assert_told(r, "- /ip/10.0.0.8", "~ /tcp/10.0.0.8:3260 BindsTo");
        g_assert_cmpint(model_declare_address(r->model, &declared, "cluster"), ==, 0);
        recorder_assert_told(r, "+ /ip/10.0.0.8", "~ /tcp/10.0.0.8:3260 BindsTo");
        assert_object_property(&ip(r, "10.0.0.8")->object, "ElementName", "\"cluster\"");
        recorder_check(r);
}

static void test_declared(void) {
        g_autoptr(Recorder) r = recorder_new();
        IpAddress a = address("10.0.0.8"), b = address("10.0.0.1");
        size_t bytes = model_counts(r->model)->bytes;

        /* As an address of the host: with its endpoint on the default port. */
        g_assert_cmpint(model_declare_address(r->model, &a, "cluster"), ==, 0);
        recorder_assert_told(r, "+ /ip/10.0.0.8", "+ /tcp/10.0.0.8:3260", "~ /group/0 Members", "~ /ip/10.0.0.8 BoundBy");
        assert_object_property(&tcp(r, "10.0.0.8:3260")->object, "BindsTo", "/ip/10.0.0.8");
        assert_object_property(&ip(r, "10.0.0.8")->object, "Present", "false");
        assert_object_property(&ip(r, "10.0.0.8")->object, "Declared", "true");
        g_assert_cmpint(model_declare_address(r->model, &a, ""), ==, -EEXIST);
        recorder_check(r);
        model_undeclare_address(r->model, ip(r, "10.0.0.8"));
        recorder_assert_told(r, "- /ip/10.0.0.8", "~ /tcp/10.0.0.8:3260 BindsTo", "- /tcp/10.0.0.8:3260", "~ /group/0 Members");
        g_assert_null(model_find_ip_endpoint(r->model, &a));
        g_assert_cmpuint(model_counts(r->model)->bytes, ==, bytes);
        recorder_check(r);

        /* One that is here is declared beside that, and stays afterwards. */
        add_address(r, "10.0.0.1");
        bytes = model_counts(r->model)->bytes;
        recorder_forget(r);
        g_assert_cmpint(model_declare_address(r->model, &b, "cluster"), ==, 0);
        recorder_assert_told(r, "~ /ip/10.0.0.1 Declared ElementName");
        model_undeclare_address(r->model, ip(r, "10.0.0.1"));
        recorder_assert_told(r, "~ /ip/10.0.0.1 Declared ElementName");
        g_assert_cmpuint(model_counts(r->model)->bytes, ==, bytes);
        g_assert_cmpint(model_declare_address(r->model, &b, ""), ==, 0);
        recorder_assert_told(r, "~ /ip/10.0.0.1 Declared");
        remove_address(r, "10.0.0.1");
        recorder_assert_told(r, "~ /ip/10.0.0.1 Present SubnetMask PrefixLength AddressOrigin InterfaceName");
        recorder_check(r);

        /* Without memory for its path nothing is left. */
        for (int i = 0; i < 2; i++) {
                r->path_fails_in = i;
                g_assert_cmpint(model_declare_address(r->model, &a, "cluster"), ==, -ENOMEM);
                g_assert_null(model_find_ip_endpoint(r->model, &a));
                recorder_check(r);
        }
}

/* A new binding counts as listening, since who binds has seen it; one that goes is no longer listed. */
static void test_bindings(void) {
        g_autoptr(Recorder) r = recorder_with_addresses();
        Portal second = portal("10.0.0.1:860"), absent = portal("10.0.0.9:860");
        Node *n = add_node(r, A, BOTH_ROLES);
        Port *p;

        model_set_node_state(r->model, n, STATE_IN_FORCE, NULL);
        p = add_port(r, n, ROLE_TARGET, 1, "10.0.0.1:3260");
        model_set_port_state(r->model, p, STATE_IN_FORCE, NULL);
        recorder_forget(r);

        g_assert_cmpint(model_bind_port(r->model, p, &second), ==, 0);
        recorder_assert_told(r, "+ /tcp/10.0.0.1:860", "~ /group/0 Members", "~ /ip/10.0.0.1 BoundBy",
                             "~ " PORT " BindsTo ListeningOn", "~ /tcp/10.0.0.1:860 BoundBy");
        g_assert_cmpint(model_bind_port(r->model, p, &absent), ==, 0);
        recorder_assert_told(r, "+ /tcp/10.0.0.9:860", "~ /group/0 Members",
                             "~ " PORT " BindsTo OperationalStatus StatusDescriptions",
                             "~ " NODE " OperationalStatus StatusDescriptions", "~ /tcp/10.0.0.9:860 BoundBy");
        recorder_check(r);

        model_unbind_port(r->model, p, port_find_binding(p, &tcp(r, "10.0.0.9:860")->object));
        recorder_assert_told(r, "~ " PORT " BindsTo OperationalStatus StatusDescriptions",
                             "~ " NODE " OperationalStatus StatusDescriptions", "~ /tcp/10.0.0.9:860 BoundBy",
                             "- /tcp/10.0.0.9:860", "~ /group/0 Members");
        model_unbind_port(r->model, p, port_find_binding(p, &tcp(r, "10.0.0.1:3260")->object));
        recorder_assert_told(r, "~ " PORT " BindsTo ListeningOn", "~ /tcp/10.0.0.1:3260 BoundBy");
        recorder_check(r);
}

/* The worst wins; the text names the one with the lowest Identifier, whatever the order in which things happened. */
static void test_node(void) {
        g_autoptr(Recorder) r = recorder_with_addresses();
        Model *m = r->model;
        Node *n = add_node(r, A, BOTH_ROLES);
        Port *p[4], *unpublished;

        model_set_node_state(m, n, STATE_IN_FORCE, NULL);
        assert_state(&n->object, 2, 2, "In force");
        for (size_t i = 0; i < G_N_ELEMENTS(p); i++) {
                g_autofree char *portal_text = g_strdup_printf("10.0.0.1:%zu", 5000 + i);

                p[i] = add_port(r, n, ROLE_TARGET, i + 1, portal_text);
        }
        assert_state(&n->object, 10, 8, "Not looked at yet");
        for (size_t i = 0; i < G_N_ELEMENTS(p); i++)
                model_set_port_state(m, p[i], STATE_IN_FORCE, NULL);
        assert_state(&n->object, 2, 2, "In force");

        model_set_port_state(m, p[2], STATE_UNKNOWN, "no answer");
        assert_state(&n->object, 0, 0, "Port 000000000003: no answer");
        model_set_port_state(m, p[3], STATE_DRIFTED, "Drifted: a");
        assert_state(&n->object, 2, 3, "Port 000000000004: Drifted: a; 1 more port is not as desired");
        model_set_port_state(m, p[1], STATE_DRIFTED, "Drifted: b");
        assert_state(&n->object, 2, 3, "Port 000000000002: Drifted: b; 2 more ports are not as desired");
        model_set_port_state(m, p[3], STATE_DEGRADED, "Not in force: c");
        assert_state(&n->object, 6, 3, "Port 000000000004: Not in force: c; 2 more ports are not as desired");
        model_set_port_state(m, p[0], STATE_DISABLED, NULL); /* is well */
        assert_state(&n->object, 6, 3, "Port 000000000004: Not in force: c; 2 more ports are not as desired");
        recorder_check(r);

        /* The worst gets better: the next one is found again. */
        model_set_port_state(m, p[3], STATE_DRIFTED, "Drifted: d");
        assert_state(&n->object, 2, 3, "Port 000000000002: Drifted: b; 2 more ports are not as desired");
        model_remove_port(m, p[1]);
        assert_state(&n->object, 2, 3, "Port 000000000004: Drifted: d; 1 more port is not as desired");
        recorder_check(r);

        /* One that nobody sees does not count. */
        g_assert_cmpint(try_add_port(r, n, ROLE_TARGET, 9, "10.0.0.1:6000", &unpublished), ==, 0);
        model_set_port_state(m, unpublished, STATE_DEGRADED, "Not in force: e");
        assert_state(&n->object, 2, 3, "Port 000000000004: Drifted: d; 1 more port is not as desired");
        g_assert_cmpint(model_publish_port(m, unpublished), ==, 0);
        assert_state(&n->object, 6, 3, "Port 000000000009: Not in force: e; 2 more ports are not as desired");
        recorder_check(r);

        /* Its own state counts as much, and wins a draw. */
        model_set_node_state(m, n, STATE_DEGRADED, "Not in force: the node");
        assert_state(&n->object, 6, 3, "Not in force: the node");
        model_set_node_state(m, n, STATE_IN_FORCE, NULL);
        assert_state(&n->object, 6, 3, "Port 000000000009: Not in force: e; 2 more ports are not as desired");
        model_remove_port(m, unpublished);
        model_set_port_state(m, p[2], STATE_IN_FORCE, NULL);
        model_set_port_state(m, p[3], STATE_IN_FORCE, NULL);
        assert_state(&n->object, 2, 2, "In force");
        recorder_check(r);

        /* Going, it tells no states. */
        model_set_port_state(m, p[2], STATE_DEGRADED, "why");
        recorder_forget(r);
        model_remove_node(m, n);
        g_assert_null(strstr(r->text->str, "StatusDescriptions"));
        recorder_check(r);
}

static void test_modified(void) {
        g_autoptr(Recorder) r = recorder_new();
        Model *m = r->model;
        Node *a = add_node(r, A, BOTH_ROLES), *b = add_node(r, "iqn.2001-04.com.example:b", BOTH_ROLES);
        DriftPolicy policy = DRIFT_DEFAULT;
        size_t bytes;

        recorder_forget(r);
        bytes = model_counts(m)->bytes;
        g_assert_cmpint(model_set_node_alias(m, a, "disks"), ==, 0);
        recorder_assert_told(r, "~ " NODE " ElementName");
        g_assert_cmpuint(model_counts(m)->bytes, ==, bytes + strlen("disks"));
        g_assert_cmpint(model_set_node_alias(m, a, "disks"), ==, 0);
        g_assert_cmpint(model_set_node_alias(m, b, "disks"), ==, -EEXIST);
        recorder_assert_told(r);
        g_assert_cmpint(model_set_node_alias(m, a, "others"), ==, 0);
        g_assert_cmpint(model_set_node_alias(m, b, "disks"), ==, 0);
        g_assert_true(model_find_node_by_alias(m, "disks") == b);
        recorder_check(r);
        g_assert_cmpint(model_set_node_alias(m, a, ""), ==, 0);
        g_assert_cmpint(model_set_node_alias(m, b, ""), ==, 0);
        g_assert_cmpuint(model_counts(m)->bytes, ==, bytes);
        g_assert_null(model_find_node_by_alias(m, "disks"));
        recorder_check(r);
        recorder_forget(r);

        for (size_t i = 0; i < _DRIFT_POLICY_MAX; i++) {
                g_assert_cmpint(drift_policy_from_text(drift_policy_to_text((DriftPolicy) i), &policy), ==, 0);
                g_assert_cmpuint(policy, ==, i);
        }
        g_assert_cmpint(drift_policy_from_text("Report", &policy), ==, -EINVAL);
        g_assert_cmpint(drift_policy_from_text("", &policy), ==, -EINVAL);
        model_set_node_drift_policy(m, a, DRIFT_DEFAULT);
        recorder_assert_told(r);
        model_set_node_drift_policy(m, a, DRIFT_ENFORCE);
        recorder_assert_told(r, "~ " NODE " DriftPolicy");
        assert_object_property(&a->object, "DriftPolicy", "\"enforce\"");

        model_set_drift_policy(m, DRIFT_REPORT);
        recorder_assert_told(r);
        model_set_drift_policy(m, DRIFT_ENFORCE);
        recorder_assert_told(r, "~ / DriftPolicy");

        g_assert_cmpint(model_set_notice(m, NOTICE_WATCH, "watches ran out"), ==, 0);
        g_assert_cmpint(model_set_notice(m, NOTICE_WATCH, "watches ran out"), ==, 0);
        recorder_assert_told(r, "~ / StatusDescriptions");
        g_assert_cmpint(model_set_notice(m, NOTICE_STORE, "the store is damaged"), ==, 0);
        assert_object_property(&model_service(m)->object, "StatusDescriptions", "[\"the store is damaged\",\"watches ran out\"]");
        g_assert_cmpint(model_set_notice(m, NOTICE_STORE, NULL), ==, 0);
        g_assert_cmpint(model_set_notice(m, NOTICE_BACKEND, NULL), ==, 0);
        recorder_assert_told(r, "~ / StatusDescriptions", "~ / StatusDescriptions");
        assert_object_property(&model_service(m)->object, "StatusDescriptions", "[\"watches ran out\"]");
        recorder_check(r);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/model-states/derived", test_derived);
        g_test_add_func("/model-states/set", test_set);
        g_test_add_func("/model-states/told", test_told);
        g_test_add_func("/model-states/addresses", test_addresses);
        g_test_add_func("/model-states/declared", test_declared);
        g_test_add_func("/model-states/bindings", test_bindings);
        g_test_add_func("/model-states/node", test_node);
        g_test_add_func("/model-states/modified", test_modified);
        return g_test_run();
}
