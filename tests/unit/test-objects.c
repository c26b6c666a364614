/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The rows of object kinds against interfaces/ and the bus policy, and what they write of objects of all kinds. */

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "exchange/json.h"
#include "model/state.h"
#include "model-fixture.h"
#include "objects/objects.h"
#include "xml-file.h"

#define EMITS "org.freedesktop.DBus.Property.EmitsChangedSignal"
#define EXPLICIT "org.freedesktop.systemd1.Explicit"
#define A "iqn.2001-04.com.example:a"

static xmlDoc *read_source(const char *name) {
        g_autofree char *path = g_strdup_printf("%s/%s", g_getenv("SOURCE_ROOT"), name);

        return xml_read_file(path);
}

/* Row by row: the same properties in the same order, with the same types and the same signals. */
static void test_interfaces(void) {
        static const char *const emits[] = {
                [EMITS_CONST] = "const", [EMITS_CHANGE] = "true", [EMITS_INVALIDATES] = "invalidates"
        };

        for (size_t i = 0; i < G_N_ELEMENTS(object_classes); i++) {
                const ObjectClass *k = object_classes[i];
                g_autofree char *name = g_strdup_printf("interfaces/%s.xml", k->interface);
                g_autoptr(xmlDoc) doc = read_source(name);
                const Property *p = k->properties;

                g_assert_cmpuint(k->type, ==, i);
                for (xmlNode *e = xml_first(xml_child(xmlDocGetRootElement(doc), "interface")); e; e = xml_next(e)) {
                        if (!xml_is(e, "property"))
                                continue;
                        g_test_message("%s.%s", k->interface, xml_attribute(e, "name"));
                        g_assert_cmpstr(p->name, ==, xml_attribute(e, "name"));
                        g_assert_cmpstr(p->signature, ==, xml_attribute(e, "type"));
                        g_assert_cmpstr(emits[p->emits], ==, xml_annotation(e, EMITS));
                        g_assert_cmpint(xml_annotation(e, EXPLICIT) != NULL, ==, p->emits == EMITS_INVALIDATES);
                        g_assert_true(object_class_find_property(k, p->name) == p);
                        p++;
                }
                g_assert_null(p->name);
                g_assert_null(object_class_find_property(k, "Colour"));
        }
}

/* Calls to each kind's interface reach the service, so that what is wrong with them is said by it. */
static void test_bus_policy(void) {
        g_autoptr(xmlDoc) doc = read_source("dbus/org.iscsi.ConfigurationService.conf");
        g_autoptr(GHashTable) allowed = g_hash_table_new(g_str_hash, g_str_equal);

        for (xmlNode *policy = xml_first(xmlDocGetRootElement(doc)); policy; policy = xml_next(policy))
                for (xmlNode *rule = xml_first(policy); rule; rule = xml_next(rule))
                        if (xml_is(rule, "allow") && xml_attribute(rule, "send_interface"))
                                g_hash_table_add(allowed, (char *) xml_attribute(rule, "send_interface"));

        for (size_t i = 0; i < G_N_ELEMENTS(object_classes); i++)
                g_assert_true(g_hash_table_contains(allowed, object_classes[i]->interface));
}

static void test_paths(void) {
        static const char *const names[] = { "",
                                             "a",
                                             "A0z9",
                                             "0",
                                             "9a",
                                             "10.0.0.1:3260",
                                             "[fe80::1%eth0]:860",
                                             "_",
                                             "_30",
                                             "iqn.2001-04.a",
                                             "\xc3\xa4",
                                             "\x01\x7f\xff",
                                             " /",
                                             "default" };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *ours = NULL;
                char *theirs = NULL;

                ours = path_below("/a/b", "c", names[i]);
                g_assert_cmpint(sd_bus_path_encode("/a/b/c", names[i], &theirs), ==, 0);
                g_assert_cmpstr(ours, ==, theirs);
                free(theirs);
        }
}

typedef struct Sample {
        Recorder *r;
        Abilities abilities;
        const Object *objects[_OBJECT_TYPE_MAX];
} Sample;

static void sample_open(Sample *s) {
        IpAddress declared = address("192.0.2.7");
        Port *p;
        Node *n;

        *s = (Sample){
                .r = recorder_new(),
                .abilities = { .roles = { [ROLE_TARGET] = { true, true } },
                               .max = { .nodes = 1, .ports = 2, .portals_per_port = 3, .tcp_endpoints = 4, .portal_groups = 5 } }
        };
        add_address(s->r, "10.0.0.1");
        g_assert_cmpint(model_declare_address(s->r->model, &declared, "service \"a\""), ==, 0);
        g_assert_cmpint(model_add_node(s->r->model, A, "disks", ROLE_BIT(ROLE_TARGET), true, &n), ==, 0);
        g_assert_cmpint(model_publish_node(s->r->model, n), ==, 0);
        model_set_node_state(s->r->model, n, STATE_IN_FORCE, NULL);
        p = add_port(s->r, n, ROLE_TARGET, 10, "10.0.0.1:3260 192.0.2.7:3260");
        model_set_port_state(s->r->model, p, STATE_IN_FORCE, NULL);
        g_assert_cmpint(model_set_notice(s->r->model, NOTICE_STORE, "notice"), ==, 0);

        s->objects[OBJECT_SERVICE] = &model_service(s->r->model)->object;
        s->objects[OBJECT_NODE] = &n->object;
        s->objects[OBJECT_PORT] = &p->object;
        s->objects[OBJECT_TCP_ENDPOINT] = &tcp(s->r, "192.0.2.7:3260")->object;
        s->objects[OBJECT_IP_ENDPOINT] = &ip(s->r, "192.0.2.7")->object;
        s->objects[OBJECT_PORTAL_GROUP] = &group(s->r, 0)->object;
}

static char *write_json(const Sample *s, const Object *o, bool all) {
        ObjectContext context = { .abilities = &s->abilities };
        _cleanup_(json_writer_freep) JsonWriter *j = NULL;
        char *text;

        g_assert_cmpint(json_writer_new(JSON_COMPACT, &j), ==, 0);
        g_assert_cmpint(object_write_properties(o, &context, all, json_writer_value(j)), ==, 0);
        g_assert_cmpint(json_writer_finish(j, &text), ==, 0);
        return text;
}

static void test_json(void) {
        static const char *const expected[] = {
                [OBJECT_SERVICE] =
                        "{\"StatusDescriptions\":[\"notice\"],\"DriftPolicy\":\"report\","
                        "\"iSCSIProtocolEndpointCreationSupported\":true,\"IdentifierSelectionSupported\":true,"
                        "\"iSCSINodeCreationSupported\":true,\"SupportedRoles\":[3],\"IdentifierSelectionRoles\":[3],"
                        "\"MinimumSpecificationVersionSupported\":0,\"MaximumSpecificationVersionSupported\":0,"
                        "\"Version\":\"" PROJECT_VERSION "\",\"Features\":[\"unbind\",\"tcp-endpoints\",\"portal-groups\","
                        "\"batch\",\"check\",\"disable\",\"force\",\"addresses\",\"not-persistent\",\"adopt\",\"reconcile\","
                        "\"sessions\"],"
                        "\"DefaultPortalGroup\":\"" ROOT_PATH "/portal_group/default\",\"MaxNodes\":1,\"MaxPorts\":2,"
                        "\"MaxPortalsPerPort\":3,\"MaxTCPProtocolEndpoints\":4,\"MaxPortalGroups\":5}",
                [OBJECT_NODE] =
                        "{\"Name\":\"" A "\",\"ElementName\":\"disks\",\"Roles\":[3],\"Automatic\":false,"
                        "\"ProtocolEndpoints\":[\"/node/" A "/00000000000A\"],\"EnabledState\":2,\"OperationalStatus\":[3],"
                        "\"StatusDescriptions\":[\"Port 00000000000A: Partly in force: portal 192.0.2.7:3260 waits for its "
                        "address, which is not on this host\"],"
                        "\"Managed\":true,\"Persistent\":true,\"DriftPolicy\":\"default\"}",
                [OBJECT_PORT] =
                        "{\"Name\":\"" A ",t,0x000a\",\"Identifier\":\"00000000000A\",\"Role\":3,\"EnabledState\":2,"
                        "\"RequestedState\":2,\"OperationalStatus\":[3],"
                        "\"StatusDescriptions\":[\"Partly in force: portal 192.0.2.7:3260 waits for its address, which is "
                        "not on this host\"],"
                        "\"SAPAvailableForElement\":\"/node/" A "\",\"BindsTo\":[\"/tcp/10.0.0.1:3260\","
                        "\"/tcp/192.0.2.7:3260\"],\"ListeningOn\":[\"/tcp/10.0.0.1:3260\"],"
                        "\"SessionCount\":4294967295,\"SessionIdentifiers\":[],\"Managed\":true}",
                [OBJECT_TCP_ENDPOINT] = "{\"Name\":\"192.0.2.7:3260\",\"PortNumber\":3260,\"BindsTo\":[\"/ip/192.0.2.7\"],"
                                        "\"BoundBy\":[\"/node/" A "/00000000000A\"],\"MemberOfCollection\":[\"/group/0\"],"
                                        "\"Automatic\":true}",
                [OBJECT_IP_ENDPOINT] =
                        "{\"Name\":\"192.0.2.7\",\"ElementName\":\"service \\\"a\\\"\",\"IPv4Address\":\"192.0.2.7\","
                        "\"IPv6Address\":\"\",\"SubnetMask\":\"0.0.0.0\",\"PrefixLength\":0,\"ProtocolIFType\":4096,"
                        "\"AddressOrigin\":0,\"IPv6AddressType\":0,\"IPv6SubnetPrefixLength\":0,\"InterfaceName\":\"\","
                        "\"Present\":false,\"Declared\":true,\"BoundBy\":[\"/tcp/192.0.2.7:3260\"]}",
                [OBJECT_PORTAL_GROUP] =
                        "{\"ElementName\":\"default\",\"Members\":[\"/tcp/192.0.2.7:3260\",\"/tcp/10.0.0.1:3260\"],"
                        "\"Automatic\":true}",
        };
        Sample s;

        sample_open(&s);
        for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
                _cleanup_free_ char *all = write_json(&s, s.objects[i], true), *few = write_json(&s, s.objects[i], false);

                g_assert_cmpstr(all, ==, expected[i]);
                for (const Property *p = object_classes[i]->properties; p->name; p++) {
                        g_autofree char *key = g_strdup_printf("\"%s\":", p->name);

                        g_assert_cmpint(strstr(few, key) != NULL, ==, p->emits != EMITS_INVALIDATES);
                }
        }
        recorder_free(s.r);
}

/* A sink that counts, and refuses one step. */
typedef struct Counter {
        ValueWriter writer;
        unsigned n, refuse_at;
} Counter;

static int count_step(ValueWriter *w) {
        Counter *c = (Counter *) w;

        g_assert_cmpuint(c->n, <=, c->refuse_at); /* nothing is written behind an error */
        return c->n++ == c->refuse_at ? -ENOMEM : 0;
}

static int count_basic(ValueWriter *w, char type, const void *value) {
        return count_step(w);
}

static int count_open(ValueWriter *w, char type, const char *contents) {
        return count_step(w);
}

/* An error of the sink, wherever it happens, ends the writing and comes out. */
static void test_sink_errors(void) {
        static const ValueSink sink = { count_basic, count_open, count_step };
        Sample s;

        sample_open(&s);
        for (size_t i = 0; i < G_N_ELEMENTS(s.objects); i++) {
                ObjectContext context = { .abilities = &s.abilities };
                Counter all = { .writer.sink = &sink, .refuse_at = UINT_MAX };

                g_assert_cmpint(object_write_properties(s.objects[i], &context, true, &all.writer), ==, 0);
                for (unsigned k = 0; k < all.n; k++) {
                        Counter c = { .writer.sink = &sink, .refuse_at = k };

                        g_assert_cmpint(object_write_properties(s.objects[i], &context, true, &c.writer), ==, -ENOMEM);
                        g_assert_cmpuint(c.n, ==, k + 1);
                }
        }
        recorder_free(s.r);
}

/* Each class enumerates what the model has of it, and its rows make the paths that interfaces/ documents. */
static void test_enumeration(void) {
        static const char *const expected[] = {
                [OBJECT_SERVICE] = ROOT_PATH,
                [OBJECT_NODE] = ROOT_PATH "/node/iqn_2e2001_2d04_2ecom_2eexample_3aa",
                [OBJECT_PORT] = "/node/" A "/endpoint/00000000000A", /* below the node's path, which is the recorder's */
                [OBJECT_TCP_ENDPOINT] = ROOT_PATH "/tcp/_3192_2e0_2e2_2e7_3a3260",
                [OBJECT_IP_ENDPOINT] = ROOT_PATH "/ip/_3192_2e0_2e2_2e7",
                [OBJECT_PORTAL_GROUP] = ROOT_PATH "/portal_group/default",
        };
        static const unsigned n_expected[] = {
                [OBJECT_NODE] = 1,        [OBJECT_PORT] = 1,         [OBJECT_TCP_ENDPOINT] = 2,
                [OBJECT_IP_ENDPOINT] = 2, [OBJECT_PORTAL_GROUP] = 2,
        };
        _cleanup_free_ char *numbered = NULL;
        Sample s;

        sample_open(&s);
        numbered = portal_group_class.make_path(&add_group(s.r, 4711, "g")->object);
        g_assert_cmpstr(numbered, ==, ROOT_PATH "/portal_group/4711");

        for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
                const ObjectClass *k = object_classes[i];
                _cleanup_free_ char *path = k->make_path(s.objects[i]);
                Object *parent = k->parent ? (Object *) s.objects[k->parent->type] : NULL;
                bool found = false;
                unsigned n = 0;

                g_assert_cmpstr(path, ==, expected[i]);
                g_assert_true(object_class(s.objects[i]) == k);
                if (i == OBJECT_SERVICE) {
                        g_assert_null(k->first);
                        continue;
                }
                for (Object *o = k->first(s.r->model, parent); o; o = k->next(o), n++) {
                        g_assert_cmpuint(o->type, ==, i);
                        found = found || o == s.objects[i];
                }
                g_assert_true(found);
                g_assert_cmpuint(n, ==, n_expected[i]);
        }
        recorder_free(s.r);
}

/* By objects that count; automatic ones do not. */
static void test_limits(void) {
        Abilities a = { .max = limits_default };
        const struct {
                ObjectType type;
                unsigned *limit, n;
        } counted[] = {
                { OBJECT_NODE, &a.max.nodes, 1 },
                { OBJECT_PORT, &a.max.ports, 1 },
                { OBJECT_TCP_ENDPOINT, &a.max.tcp_endpoints, 0 },
                { OBJECT_IP_ENDPOINT, &a.max.ip_endpoints, 1 },
                { OBJECT_PORTAL_GROUP, &a.max.portal_groups, 0 },
        };
        Sample s;

        sample_open(&s);
        for (size_t i = 0; i < G_N_ELEMENTS(counted); i++) {
                g_assert_false(limit_is_reached(s.r->model, &a, counted[i].type));
                *counted[i].limit = counted[i].n + 1;
                g_assert_false(limit_is_reached(s.r->model, &a, counted[i].type));
                *counted[i].limit = counted[i].n;
                g_assert_true(limit_is_reached(s.r->model, &a, counted[i].type));
                *counted[i].limit = NO_LIMIT;
                g_assert_false(limit_is_reached(s.r->model, &a, counted[i].type));
        }
        g_assert_false(limit_is_reached(s.r->model, &(Abilities){}, OBJECT_SERVICE));
        recorder_free(s.r);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        if (!g_getenv("SOURCE_ROOT"))
                g_error("SOURCE_ROOT must be set, as `meson test` does it");

        g_test_add_func("/objects/interfaces", test_interfaces);
        g_test_add_func("/objects/bus-policy", test_bus_policy);
        g_test_add_func("/objects/paths", test_paths);
        g_test_add_func("/objects/json", test_json);
        g_test_add_func("/objects/sink-errors", test_sink_errors);
        g_test_add_func("/objects/enumeration", test_enumeration);
        g_test_add_func("/objects/limits", test_limits);
        return g_test_run();
}
