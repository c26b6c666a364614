/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Callers who mean harm and may change nothing: others are served all the same. */

#include "calls.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS 40u
#define CALLS 100u /* under way on each; the bus allows 128 */

static int count_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        --*(unsigned *) userdata;
        return 1;
}

/* Keeps as many calls under way as the bus lets one user have, for ever. */
static void flood(void) {
        unsigned under_way[CONNECTIONS] = {};
        sd_bus *buses[CONNECTIONS];

        for (unsigned i = 0; i < CONNECTIONS; i++)
                buses[i] = connect_as("mallory");

        for (;; g_usleep(500))
                for (unsigned i = 0; i < CONNECTIONS; i++) {
                        int r;

                        for (; under_way[i] < CALLS; under_way[i]++) {
                                sd_bus_message *m = new_call(buses[i], "CreateiSCSINode");

                                g_assert_cmpint(sd_bus_message_append(m, "sa{sv}", "", 0), >=, 0);
                                g_assert_cmpint(sd_bus_call_async(buses[i], NULL, m, count_answer, under_way + i, UINT64_MAX), >=,
                                                0);
                                sd_bus_message_unref(m);
                        }
                        while ((r = sd_bus_process(buses[i], NULL)) > 0)
                                ;
                        g_assert_cmpint(r, >=, 0);
                }
}

/* Who a caller is must be known soon, however many calls stand in line: else all places are taken by those of nobody knows
 * whom. */
static void test_flood(void) {
        g_autoptr(Service) s = service_new("--target-backend=model", NULL);
        sd_bus *bus;
        pid_t pid;

        service_start(s);
        bus = connect_as("root");

        pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0)
                flood();
        g_usleep(G_USEC_PER_SEC / 2);

        for (unsigned i = 0; i < 3; i++)
                must_call(bus, "CreateiSCSINode", "sa{sv}", "", 0);

        /* It ends well in the middle of it, too. */
        service_stop(s);
        service_start(s);
        must_call(bus, "CreateiSCSINode", "sa{sv}", "", 0);

        g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        must_call(bus, "CreateiSCSINode", "sa{sv}", "", 0);
        sd_bus_flush_close_unref(bus);
        service_stop(s);
}

/* A message that waits for an answer would keep its descriptors open: the bus carries none to the service. */
static void test_file_descriptors(void) {
        g_autoptr(Service) s = service_new("--target-backend=model", NULL);
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *m;
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        m = new_call(bus, "CreateiSCSINode");
        g_assert_cmpint(sd_bus_message_append(m, "h", STDERR_FILENO), >=, 0);
        g_assert_cmpint(sd_bus_call(bus, m, 0, &e, NULL), <, 0);
        assert_error(&e, SD_BUS_ERROR_NOT_SUPPORTED, 0);
        sd_bus_message_unref(m);

        must_call(bus, "CreateiSCSINode", "sa{sv}", "", 0);
        sd_bus_flush_close_unref(bus);
        service_stop(s);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/hostile-callers/flood", test_flood);
        g_test_add_func("/hostile-callers/file-descriptors", test_file_descriptors);

        return g_test_run();
}
