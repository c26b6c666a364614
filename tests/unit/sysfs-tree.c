/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sysfs-tree.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TARGET_NAME "iqn.2026-11.org.example:target"

SysfsTree *sysfs_tree_new(void) {
        SysfsTree *t = g_new0(SysfsTree, 1);

        t->path = g_strdup("/dev/shm/sysfs-tree.XXXXXX");
        g_assert_nonnull(g_mkdtemp(t->path));
        g_assert_cmpint(chmod(t->path, 0755), ==, 0);
        return t;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static void remove_tree(const char *path) {
        g_assert_cmpint(nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), ==, 0);
}

void sysfs_tree_free(SysfsTree *t) {
        remove_tree(t->path);
        g_free(t->path);
        g_free(t);
}

/* The kernel gives a session of open-iscsi a host of its own. */
static unsigned host_of(unsigned number) {
        return number + 10;
}

static char *directory_of(SysfsTree *t, unsigned number, const char *place) {
        unsigned host = host_of(number);

        if (g_str_equal(place, "session"))
                return g_strdup_printf("%s/devices/platform/host%u/session%u/iscsi_session/session%u", t->path, host, number,
                                       number);
        if (g_str_equal(place, "connection"))
                return g_strdup_printf("%s/devices/platform/host%u/session%u/connection%u:0/iscsi_connection/connection%u:0",
                                       t->path, host, number, number, number);
        return g_strdup_printf("%s/devices/platform/host%u/%s/host%u", t->path, host,
                               g_str_equal(place, "host") ? "iscsi_host" : "scsi_host", host);
}

char *sysfs_attribute(SysfsTree *t, unsigned number, const char *place, const char *attribute) {
        g_autofree char *directory = directory_of(t, number, place);

        return g_build_filename(directory, attribute, NULL);
}

/* In one step: a reader sees the old value or the new one. g_file_set_contents() would wait for the disk. */
void sysfs_set(SysfsTree *t, unsigned number, const char *place, const char *attribute, const char *value) {
        g_autofree char *file = sysfs_attribute(t, number, place, attribute), *fresh = g_strconcat(file, ".new", NULL);
        FILE *f;

        if (!value) {
                g_assert_cmpint(unlink(file), ==, 0);
                return;
        }
        f = fopen(fresh, "w");
        g_assert_nonnull(f);
        g_assert_cmpint(fprintf(f, "%s\n", value), >, 0);
        g_assert_cmpint(fclose(f), ==, 0);
        g_assert_cmpint(chmod(fresh, 0444), ==, 0);
        g_assert_cmpint(rename(fresh, file), ==, 0);
}

static void make_directory(const char *path) {
        g_assert_cmpint(g_mkdir_with_parents(path, 0755), ==, 0);
}

static char *link_of(SysfsTree *t, const char *class, const char *name) {
        return g_build_filename(t->path, "class", class, name, NULL);
}

/* class/CLASS/NAME leads to the directory below devices/. */
static void add_class_link(SysfsTree *t, unsigned number, const char *place, const char *class, const char *name) {
        g_autofree char *directory = directory_of(t, number, place), *link = link_of(t, class, name),
                        *parent = g_path_get_dirname(link), *target = g_strconcat("../..", directory + strlen(t->path), NULL);

        make_directory(parent);
        g_assert_cmpint(symlink(target, link), ==, 0);
}

static void make_places(SysfsTree *t, unsigned number) {
        for (const char *const *p = (const char *const[]){ "session", "connection", "host", "scsi_host", NULL }; *p; p++) {
                g_autofree char *directory = directory_of(t, number, *p), *device = g_build_filename(directory, "device", NULL);

                make_directory(directory);
                g_assert_cmpint(symlink("../..", device), ==, 0);
        }
}

static void set_all(SysfsTree *t, unsigned number, const char *place, const char *const *pairs) {
        for (; *pairs; pairs += 2)
                sysfs_set(t, number, place, pairs[0], pairs[1]);
}
#define set(t, number, place, ...) set_all((t), (number), (place), (const char *const[]){ __VA_ARGS__, NULL })

static void link_all(SysfsTree *t, unsigned number) {
        g_autofree char *session = g_strdup_printf("session%u", number), *connection = g_strdup_printf("connection%u:0", number),
                        *host = g_strdup_printf("host%u", host_of(number));

        add_class_link(t, number, "scsi_host", "scsi_host", host);
        add_class_link(t, number, "host", "iscsi_host", host);
        add_class_link(t, number, "connection", "iscsi_connection", connection);
        add_class_link(t, number, "session", "iscsi_session", session);
}

static void make_session(SysfsTree *t, unsigned number) {
        make_places(t, number);
        set(t, number, "session", "state", "FREE", "targetname", "(null)", "initiatorname", "(null)", "ifacename", "(null)",
            "tpgt", "0", "initial_r2t", "0", "immediate_data", "0", "max_outstanding_r2t", "0", "first_burst_len", "0",
            "max_burst_len", "0", "erl", "0", "data_pdu_in_order", "0", "data_seq_in_order", "0", "username", "(null)",
            "target_state", "ALLOCATED");
        set(t, number, "connection", "state", "down", "address", "", "port", "-1", "persistent_address", "(null)",
            "persistent_port", "0", "local_port", "-1", "max_recv_dlength", "0", "max_xmit_dlength", "0", "header_digest", "0",
            "data_digest", "0");
        set(t, number, "host", "netdev", "(null)", "hwaddress", "(null)", "ipaddress", "", "initiatorname", "(null)");
        set(t, number, "scsi_host", "proc_name", "iscsi_tcp");
}

void sysfs_add_session(SysfsTree *t, unsigned number) {
        make_session(t, number);
        link_all(t, number);
}

void sysfs_log_in(SysfsTree *t, unsigned number, const char *initiator, const char *record) {
        set(t, number, "host", "netdev", "i0", "ipaddress", "192.0.2.9");
        set(t, number, "connection", "address", "192.0.2.1", "port", "3260", "persistent_address", "192.0.2.2", "persistent_port",
            "3261", "local_port", "40000", "max_recv_dlength", "262144", "max_xmit_dlength", "8192", "header_digest", "1",
            "state", "up");
        set(t, number, "session", "initiatorname", initiator, "targetname", TARGET_NAME, "ifacename", record, "tpgt", "7",
            "initial_r2t", "1", "immediate_data", "1", "max_outstanding_r2t", "1", "first_burst_len", "65536", "max_burst_len",
            "262144", "state", "LOGGED_IN");
}

void sysfs_add_logged_in(SysfsTree *t, unsigned number, const char *initiator, const char *record) {
        make_session(t, number);
        sysfs_log_in(t, number, initiator, record);
        link_all(t, number);
}

void sysfs_remove_session(SysfsTree *t, unsigned number) {
        g_autofree char *directory = g_strdup_printf("%s/devices/platform/host%u", t->path, host_of(number)),
                        *session = g_strdup_printf("session%u", number), *connection = g_strdup_printf("connection%u:0", number),
                        *host = g_strdup_printf("host%u", host_of(number));
        const char *const links[] = {
                "iscsi_connection", connection, "iscsi_session", session, "iscsi_host", host, "scsi_host", host, NULL
        };

        for (const char *const *l = links; *l; l += 2) {
                g_autofree char *link = link_of(t, l[0], l[1]);

                g_assert_cmpint(unlink(link), ==, 0);
        }
        remove_tree(directory);
}
