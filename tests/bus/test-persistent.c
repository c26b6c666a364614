/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Nodes that are not persistent: in force until they are deleted or the host restarts. The boot of the host is told by a file
 * that the test lays over the kernel's, in its own namespace. */

#include "batch.h"
#include "calls.h"
#include "fault-base.h"
#include "mirror.h"
#include "store-check.h"

#include <string.h>
#include <sys/mount.h>

#define PASSING "iqn.2026-11.org.example:passing"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static const char passing[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3apassing";

/* What the next start of the service finds. */
static void set_boot(unsigned n) {
        g_autofree char *path = g_build_filename(g_getenv("SURROUNDINGS_DIR"), "boot_id", NULL);
        g_autofree char *text = g_strdup_printf("01234567-89ab-4def-8123-%012u\n", n);
        static bool laid;
        g_autoptr(GError) error = NULL;

        /* In place, because the file itself is what is laid over the other. */
        g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0644, &error);
        g_assert_no_error(error);
        if (laid)
                g_assert_cmpint(umount(BOOT_ID), ==, 0);
        g_assert_cmpint(mount(path, BOOT_ID, NULL, MS_BIND, NULL), ==, 0);
        laid = true;
}

static void remember(Base *b) {
        g_free(signals_take(b->signals));
        g_free(b->objects);
        g_free(b->memory);
        b->objects = view_objects(b->bus);
        b->memory = fault_memory(b->service);
}

static Base *base_with_passing(void) {
        g_autofree char *persistent = NULL, *path = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *m;
        Base *b;

        set_boot(1);
        b = base_new();
        path = call_for_path(b->bus, &e, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", PASSING, "Persistent", "b", 0);
        g_assert_cmpstr(path, ==, passing);
        persistent = get_property(b->bus, passing, NODE_INTERFACE, "Persistent");
        g_assert_cmpstr(persistent, ==, "false");

        m = batch_new(b->bus);
        batch_add(m, PASSING, "", "127.0.0.1:3260 127.0.0.1:3261");
        batch_add(m, PASSING, "", "127.0.0.1:3262");
        g_strfreev(batch_call(b->bus, batch_end(m, BATCH_DEFAULT)));
        remember(b);
        return b;
}

static void kill_and_start(Base *b) {
        service_kill(b->service);
        fault_wait_workers_gone(b->service);
        fault_plan(b->service, "%s", "");
        service_start(b->service);
        g_free(signals_take(b->signals));
}

static void reboot(Base *b, unsigned n) {
        service_kill(b->service);
        fault_wait_workers_gone(b->service);
        fault_plan(b->service, "%s", "");
        fault_remove_all(b->service);
        set_boot(n);
        service_start(b->service);
        g_free(signals_take(b->signals));
}

/* Within one boot it is like any other. */
static void test_same_boot(void) {
        g_autoptr(Base) b = base_with_passing();

        base_assert_untouched_by_restart(b, "a restart");
        kill_and_start(b);
        base_assert_untouched(b, "a crash");

        service_stop(b->service);
        fault_remove_all(b->service);
        service_start(b->service);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "the kernel lost all");
}

static void assert_gone(Base *b) {
        g_autofree char *memory = fault_memory(b->service), *wanted = NULL;
        g_auto(GStrv) objects = list_objects(b->bus);

        for (char **o = objects; *o; o++)
                g_assert_false(g_str_has_prefix(*o, passing));
        g_assert_null(strstr(memory, PASSING));
        wanted = view_in_force(b->bus);
        assert_same_text(wanted, memory, "what is in force");
}

/* After a restart of the host it is gone, also when the old boot comes again: it has left the store. */
static void test_other_boot(void) {
        g_autoptr(Base) b = base_with_passing();

        reboot(b, 2);
        assert_gone(b);
        reboot(b, 1);
        assert_gone(b);

        g_free(create_node(b->bus, PASSING)); /* now one that stays */
        reboot(b, 3);
        g_assert_true(object_exists(b->bus, passing));
        service_stop(b->service);
        assert_store_is_sound(b->service);
}

/* If the kernel has it all the same, it is somebody else's. */
static void test_still_in_kernel(void) {
        g_autofree char *managed = NULL;
        g_autoptr(Base) b = base_with_passing();

        service_stop(b->service);
        set_boot(2);
        service_start(b->service);
        managed = get_property(b->bus, passing, NODE_INTERFACE, "Managed");
        g_assert_cmpstr(managed, ==, "false");
        must_refuse(b->bus, "NotManaged", 32776, "DeleteiSCSINode", "o", passing);
        must_call(b->bus, "AdoptiSCSINode", "o", passing);
        reboot(b, 3);
        g_assert_true(object_exists(b->bus, passing)); /* what is adopted stays */
}

/* Its settings can be changed and its ports too; it still ends with the boot. */
static void test_changed(void) {
        g_autofree char *port = port_path(PASSING, 1), *tcp = tcp_path("127.0.0.1:3264");
        g_autoptr(Base) b = base_with_passing();

        must_call(b->bus, "ModifyiSCSINode", "oa{sv}", passing, 2, "Alias", "s", "passing", "DriftPolicy", "s", "enforce");
        must_call(b->bus, "RequestStateChange", "oq", port, 3);
        must_call(b->bus, "BindiSCSIProtocolEndPoint", "oo", port, tcp);

        /* A deletion that fails puts it back as it was. */
        fault_plan(b->service, "once delete-node fail Failed not-now\n");
        must_refuse(b->bus, "Failed", 4, "DeleteiSCSINode", "o", passing);
        fault_plan(b->service, "%s", "");
        remember(b);
        base_assert_untouched_by_restart(b, "changes");
        reboot(b, 2);
        assert_gone(b);
}

/* What was being done to it when the host went down does not hold up the next start. */
static void test_cut_short(gconstpointer data) {
        static const struct {
                const char *name, *plan, *verb, *member;
        } cuts[] = {
                { "delete-node", "delete-node hang\n", "delete-node", "DeleteiSCSINode" },
                { "delete-port", "delete-port hang-half\n", "delete-port", "DeleteiSCSIProtocolEndpoint" },
                { "unbind", "unbind-portal hang\n", "unbind-portal", "UnbindiSCSIProtocolEndPoint" },
                { "bind", "bind-portal hang\n", "bind-portal", "BindiSCSIProtocolEndPoint" },
                { "disable", "disable-port hang\n", "disable-port", "RequestStateChange" },
                { "create-port", "create-port hang-half\n", "create-port", "CreateiSCSIProtocolEndpoint" },
        };
        gsize i = GPOINTER_TO_SIZE(data);
        g_autofree char *port = port_path(PASSING, 1), *second = tcp_path("127.0.0.1:3261"),
                        *free_one = tcp_path("127.0.0.1:3264");
        g_autoptr(Base) b = base_with_passing();
        sd_bus_message *m = new_call(b->bus, cuts[i].member);

        switch (i) {
        case 0:
                g_assert_cmpint(sd_bus_message_append(m, "o", passing), >=, 0);
                break;
        case 1:
                g_assert_cmpint(sd_bus_message_append(m, "o", port), >=, 0);
                break;
        case 2:
                g_assert_cmpint(sd_bus_message_append(m, "oo", port, second), >=, 0);
                break;
        case 3:
                g_assert_cmpint(sd_bus_message_append(m, "oo", port, free_one), >=, 0);
                break;
        case 4:
                g_assert_cmpint(sd_bus_message_append(m, "oq", port, 3), >=, 0);
                break;
        default:
                g_assert_cmpint(sd_bus_message_append(m, "oqsao", passing, 3, "", 1, free_one), >=, 0);
                break;
        }

        fault_plan(b->service, "%s", cuts[i].plan);
        fault_log_clear(b->service);
        send_call(b->bus, m);
        fault_wait_call(b->service, cuts[i].verb);

        reboot(b, 2);
        assert_gone(b);
        reboot(b, 3);
        assert_gone(b);
        service_stop(b->service);
        assert_store_is_sound(b->service);
}

static void test_wrong_input(void) {
        g_autoptr(Base) b = base_new();

        must_refuse(b->bus, "InvalidParameter", 5, "CreateiSCSINode", "sa{sv}", "", 1, "Persistent", "s", "no");
        must_refuse(b->bus, "InvalidParameter", 5, "CreateiSCSINode", "sa{sv}", "", 2, "Persistent", "b", 0, "Persistent", "b",
                    0);
        base_assert_untouched(b, "wrong input");
}

int main(int argc, char *argv[]) {
        static const char *const cuts[] = { "delete-node", "delete-port", "unbind", "bind", "disable", "create-port" };

        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/persistent/same-boot", test_same_boot);
        g_test_add_func("/persistent/other-boot", test_other_boot);
        g_test_add_func("/persistent/still-in-kernel", test_still_in_kernel);
        g_test_add_func("/persistent/changed", test_changed);
        for (gsize i = 0; i < G_N_ELEMENTS(cuts); i++) {
                g_autofree char *name = g_strconcat("/persistent/cut-short/", cuts[i], NULL);

                g_test_add_data_func(name, GSIZE_TO_POINTER(i), test_cut_short);
        }
        g_test_add_func("/persistent/wrong-input", test_wrong_input);
        return g_test_run();
}
