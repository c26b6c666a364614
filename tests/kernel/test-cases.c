/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The cases that the fake kernel runs, too, with the real worker on the real target of the kernel. Runs as root in a throw-away
 * machine. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "common/macro.h"
#include "worker-host.h"

#define TARGET "/sys/kernel/config/target"
#define FABRIC TARGET "/iscsi"
#define DISK TARGET "/core/rd_mcp_0/cases"
#define INITIATOR "iqn.2026-11.org.iscsi:initiator"
#define DEADLINE_USEC (60 * G_USEC_PER_SEC)

static int listener = -1;

static void must_mkdir(const char *path) {
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                g_error("mkdir %s: %s", path, g_strerror(errno));
}

/* What rmdir and unlink refuse here was refused because of something that the state afterwards tells. */
static void drop(const char *path) {
        if (g_remove(path) < 0 && errno != ENOENT)
                g_error("remove %s: %s", path, g_strerror(errno));
}

static void must_write(const char *path, const char *text) {
        int fd;

        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t) strlen(text))
                g_error("write \"%s\" to %s: %s", text, path, g_strerror(errno));
        (void) close(fd);
}

static char *port_path(char **words) {
        return g_strdup_printf(FABRIC "/%s/tpgt_%s", words[1], words[2]);
}

/* "…/tpgt_1/np/X" with all that is above it. */
static void make_directories(const char *below) {
        g_auto(GStrv) parts = g_strsplit(below, "/", 0);
        g_autoptr(GString) path = g_string_new(FABRIC);

        for (char **part = parts; *part; part++) {
                g_string_append_printf(path, "/%s", *part);
                must_mkdir(path->str);
        }
}

static void make_port(char **words) {
        g_autofree char *path = port_path(words), *enable = g_strconcat(path, "/enable", NULL);
        g_autofree char *below = g_strdup_printf("%s/tpgt_%s", words[1], words[2]);

        make_directories(below);
        for (char **portal = words + 3; *portal; portal++) {
                g_autofree char *np = g_build_filename(path, "np", *portal, NULL);

                must_mkdir(np);
        }
        if (g_str_equal(words[0], "port"))
                must_write(enable, "1");
}

static void add_lun(char **words) {
        g_autofree char *path = port_path(words), *lun = g_strconcat(path, "/lun/lun_0", NULL),
                        *link = g_strconcat(lun, "/disk", NULL);

        must_mkdir(TARGET "/core/rd_mcp_0");
        if (access(DISK, F_OK) < 0) {
                must_mkdir(DISK);
                must_write(DISK "/control", "rd_pages=16");
                must_write(DISK "/enable", "1");
        }
        must_mkdir(lun);
        if (symlink(DISK, link) < 0)
                g_error("symlink %s: %s", link, g_strerror(errno));
}

static void add_acl(char **words) {
        g_autofree char *path = port_path(words), *acl = g_strconcat(path, "/acls/" INITIATOR, NULL);

        must_mkdir(acl);
}

static void listen_on(const char *portal) {
        struct sockaddr_in in = { .sin_family = AF_INET };
        int one = 1;
        Portal p;

        g_assert_cmpint(portal_from_text(portal, &p), ==, 0);
        g_assert_cmpint(p.address.family, ==, AF_INET);
        in.sin_addr = p.address.in;
        in.sin_port = htons(p.port);
        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(listener, >=, 0);
        g_assert_no_errno(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
        if (bind(listener, (struct sockaddr *) &in, sizeof(in)) < 0 || listen(listener, 1) < 0)
                g_error("listen on %s: %s", portal, g_strerror(errno));
}

static void prepare(_unused_ Stage *s, char **words) {
        if (g_str_equal(words[0], "node") || g_str_equal(words[0], "dir"))
                make_directories(words[1]);
        else if (g_str_equal(words[0], "port") || g_str_equal(words[0], "off"))
                make_port(words);
        else if (g_str_equal(words[0], "lun"))
                add_lun(words);
        else if (g_str_equal(words[0], "acl"))
                add_acl(words);
        else if (g_str_equal(words[0], "listen"))
                listen_on(words[1]);
        else
                g_error("What is %s?", words[0]);
}

/* Removes each entry of DIRECTORY whose name begins with PREFIX. */
static void drop_entries(const char *directory, const char *prefix) {
        g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir)))
                if (g_str_has_prefix(name, prefix)) {
                        g_autofree char *path = g_build_filename(directory, name, NULL);

                        if (g_file_test(path, G_FILE_TEST_IS_SYMLINK | G_FILE_TEST_IS_DIR))
                                drop(path);
                }
}

static void drop_port(const char *path) {
        g_autofree char *enable = g_strconcat(path, "/enable", NULL), *acls = g_strconcat(path, "/acls", NULL);
        g_autofree char *lun = g_strconcat(path, "/lun/lun_0", NULL), *luns = g_strconcat(path, "/lun", NULL);
        g_autofree char *np = g_strconcat(path, "/np", NULL), *link = g_strconcat(lun, "/disk", NULL);

        must_write(enable, "0");
        drop_entries(acls, "");
        if (g_file_test(lun, G_FILE_TEST_IS_DIR)) {
                drop_entries(lun, "disk");
                drop(lun);
        }
        drop_entries(np, "");
        drop(path);
}

static void drop_node(const char *node) {
        g_autofree char *path = g_build_filename(FABRIC, node, NULL);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        if (!dir)
                return;
        while ((name = g_dir_read_name(dir)))
                if (strstr(name, "tpgt_")) {
                        g_autofree char *port = g_build_filename(path, name, NULL);

                        drop_port(port);
                }
        drop(path);
}

static void clean(_unused_ Stage *s) {
        drop_node(CASE_NODE_A);
        drop_node(CASE_NODE_B);
        drop_node(CASE_NODE_TWIN);
        drop(DISK);
        if (listener >= 0)
                (void) close(listener);
        listener = -1;
}

static bool make_interface(const char *name) {
        g_autofree char *command =
                g_strdup_printf("ip link add %s type dummy && ip link set %s up && "
                                "ip address add fe80::1/64 dev %s nodad && ip address add fe80::2/64 dev %s nodad",
                                name, name, name, name);

        return if_nametoindex(name) > 0 || system(command) == 0;
}

static void drop_interface(const char *name) {
        g_autofree char *command = g_strdup_printf("ip link delete %s", name);

        if (if_nametoindex(name) > 0)
                g_assert_cmpint(system(command), ==, 0);
}

static const char *worker_path(int argc, char *argv[]) {
        for (int i = 1; i < argc; i++)
                if (g_str_has_prefix(argv[i], "--worker="))
                        return argv[i] + strlen("--worker=");

        return g_getenv("ISCSI_BACKEND_LIO");
}

int main(int argc, char *argv[]) {
        Stage stage = { .fabric = FABRIC, .has = CASE_NEEDS_TREE, .prepare = prepare, .clean = clean };
        const char *worker;
        WorkerHost *host;
        sigset_t chld;
        int r;

        g_test_init(&argc, &argv, NULL);
        worker = worker_path(argc, argv);
        if (!worker || access(TARGET, F_OK) < 0) {
                g_print("1..0 # SKIP there is no worker, or no target in this kernel\n");
                return 0;
        }
        if (make_interface(CASE_INTERFACE_0) && make_interface(CASE_INTERFACE_1))
                stage.has |= CASE_NEEDS_HOST;
        must_mkdir(FABRIC);

        g_assert_no_errno(sigemptyset(&chld));
        g_assert_no_errno(sigaddset(&chld, SIGCHLD));
        g_assert_no_errno(sigprocmask(SIG_BLOCK, &chld, NULL));
        g_assert_cmpint(sd_event_new(&stage.event), >=, 0);
        host = worker_host_new(stage.event, "socket", 16);
        host->command = (char *[]){ (char *) worker, NULL };
        g_assert_cmpint(backend_new_peer(stage.event, "lio", host->path, DEADLINE_USEC, 1,
                                         &(BackendTraits){ .selects_identifiers = true }, &stage.backend),
                        ==, 0);

        cases_add(&stage, "/cases");
        r = g_test_run();

        backend_free(stage.backend);
        worker_host_free(host);
        sd_event_unref(stage.event);
        drop_interface(CASE_INTERFACE_0);
        drop_interface(CASE_INTERFACE_1);
        return r;
}
