/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The pure parts of the worker of open-iscsi: the form of a record, the names of ours, the host's name, the Identifiers that are
 * made. What iscsiadm makes of records is looked at in tests/bus. */

#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/hash.h"
#include "common/identifier.h"
#include "common/isid.h"
#include "common/name.h"
#include "workers/open-iscsi/database-lock.h"
#include "workers/open-iscsi/database.h"
#include "workers/open-iscsi/host-name.h"
#include "workers/open-iscsi/iscsiadm.h"
#include "workers/open-iscsi/node-ports.h"
#include "workers/open-iscsi/open-iscsi.h"
#include "workers/open-iscsi/operations.h"
#include "workers/open-iscsi/record-name.h"
#include "workers/open-iscsi/record.h"
#include "workers/open-iscsi/text-file.h"
#include "workers/open-iscsi/use.h"

#define NODE "iqn.2026-11.org.example:ini"

static Record parse(const char *text) {
        Record r;

        g_assert_cmpint(record_parse("rec", text, &r), ==, 0);
        return r;
}

/* As iscsiadm writes one. */
static void test_parse(void) {
        Record r = parse("# BEGIN RECORD 2.1.8\niface.iscsi_ifacename = rec\niface.net_ifacename = i0\niface.prefix_len = 0\n"
                         "iface.hwaddress = aa:bb:cc:dd:ee:ff\niface.transport_name = tcp\niface.initiatorname = " NODE
                         "\niface.vlan_id = 0\niface.erl = 0\n# END RECORD\n");

        g_assert_cmpstr(r.file, ==, "rec");
        g_assert_cmpstr(r.name, ==, "rec");
        g_assert_cmpstr(r.netdev, ==, "i0");
        g_assert_cmpstr(r.hwaddress, ==, "aa:bb:cc:dd:ee:ff");
        g_assert_cmpstr(r.transport, ==, "tcp");
        g_assert_cmpstr(r.initiator, ==, NODE);
        g_assert_null(r.unknown);
        g_assert_false(r.empty);
        g_assert_true(record_is_valid(&r));
        record_done(&r);
}

static void test_odd_lines(void) {
        g_autofree char *padding = g_strnfill(1020, 'x'),
                        *text = g_strdup_printf("#%s  iface.port = 1\niface.mtu = 1\n", padding);
        const struct {
                const char *text, *transport, *netdev, *unknown;
                bool empty;
        } cases[] = {
                { "", NULL, NULL, NULL, true },
                { "# comment\n\n  # another\n", NULL, NULL, NULL, true },
                { "iface.transport_name = tcp", "tcp", NULL, NULL, false }, /* no line end */
                { "  iface.transport_name =\ttcp  \r\n", "tcp", NULL, NULL, false },
                { "iface.transport_name = tcp\niface.net_ifacename = a b\n", "tcp", "a b", NULL, false },
                { "iface.net_ifacename = a\niface.net_ifacename = b\n", NULL, "b", NULL, false },
                { "iface.net_ifacename = a\niface.net_ifacename = <empty>\n", NULL, NULL, NULL, false },
                { "iface.net_ifacename=a\n", NULL, NULL, NULL, true }, /* no blanks: iscsiadm warns and goes on */
                { "iface.net_ifacename =\niface.net_ifacename\n", NULL, NULL, NULL, true },
                { "node.colour = red\n", NULL, NULL, "node.colour", false },
                { "iface.colour = red\niface.transport_name = tcp\n", "tcp", NULL, "iface.colour", false },
                { "iface. = red\n", NULL, NULL, "iface.", false },
                { "interface.transport_name = tcp\n", NULL, NULL, "interface.transport_name", false },
                { text, NULL, NULL, NULL, false }, /* what is too long goes on as the next line */
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                Record r = parse(cases[i].text);

                g_test_message("case %zu", i);
                g_assert_cmpstr(r.transport, ==, cases[i].transport);
                g_assert_cmpstr(r.netdev, ==, cases[i].netdev);
                g_assert_cmpstr(r.unknown, ==, cases[i].unknown);
                g_assert_cmpint(r.empty, ==, cases[i].empty);
                g_assert_cmpint(record_is_valid(&r), ==, cases[i].transport != NULL);
                record_done(&r);
        }
}

static void test_format(void) {
        Record r = { .name = (char *) "rec", .netdev = (char *) "i0", .transport = (char *) "tcp" }, again;
        g_autofree char *text = record_format(&r, "for people", NULL);

        g_assert_cmpstr(text, ==,
                        "# BEGIN RECORD 2.1.8\n# for people\niface.iscsi_ifacename = rec\niface.net_ifacename = i0\n"
                        "iface.transport_name = tcp\n# END RECORD\n");
        again = parse(text);
        g_assert_null(again.initiator);
        g_assert_null(again.unknown);
        g_assert_cmpstr(again.netdev, ==, "i0");
        record_done(&again);
}

/* Settings that people add stay when the record is written anew; what would hide it, or is ours, does not. */
static void test_format_again(void) {
        Record r = { .name = (char *) "rec", .netdev = (char *) "i1", .transport = (char *) "tcp" };
        g_autofree char *padding = g_strnfill(1020, 'x'), *before = NULL, *text = NULL;

        before = g_strdup_printf("# BEGIN RECORD 2.1.8\niface.net_ifacename = i0\niface.hwaddress = aa\n  iface.mtu =  9000 \n"
                                 "iface.colour = red\nnode.x = y\niface.initiatorname = x\niface.port\n# %s\niface.erl = 1\n"
                                 "iface.gateway = <empty>\niface.mtu = 1500",
                                 padding);
        text = record_format(&r, "for people", before);
        g_assert_cmpstr(text, ==,
                        "# BEGIN RECORD 2.1.8\n# for people\niface.iscsi_ifacename = rec\niface.net_ifacename = i1\n"
                        "iface.transport_name = tcp\niface.mtu = 9000\niface.erl = 1\niface.gateway = <empty>\niface.mtu = 1500\n"
                        "# END RECORD\n");
}

/* They stay the same in all versions: the records are found by them. */
static void test_names(void) {
        char name[RECORD_NAME_MAX + 1];
        uint64_t identifier = 0;

        record_name_make(HOST_NODE, 0x80AABBCC0001, name);
        g_assert_cmpstr(name, ==, "icd-host-80aabbcc0001");
        record_name_make("a", 0x80AABBCC0002, name);
        g_assert_cmpstr(name, ==, "icd-af63dc4c8601ec8c-80aabbcc0002");

        g_assert_true(record_name_is_of(name, "a", &identifier));
        g_assert_cmpuint(identifier, ==, 0x80AABBCC0002);
        g_assert_false(record_name_is_of(name, "b", NULL));
        g_assert_false(record_name_is_of(name, HOST_NODE, NULL));
        g_assert_true(record_name_is_ours(name));

        for (const char *const *foreign =
                     (const char *const[]){ "default", "icd-", "icd-host", "icd-host-", "icd-host-80AABBCC0001",
                                            "icd-host-80aabbcc00011", "icd-af63dc4c8601ec8-80aabbcc0002",
                                            "icd-hosts-80aabbcc0001", "icd-host-80aabbcc000g", "xicd-host-80aabbcc0001", NULL };
             *foreign; foreign++)
                g_assert_false(record_name_is_ours(*foreign));
}

/* As iscsid was seen to read them. */
static void test_host_name(void) {
        static const struct {
                const char *text, *name;
        } cases[] = {
                { "InitiatorName=iqn.2026-11.org.example:a\nInitiatorName=iqn.2026-11.org.example:b\n",
                  "iqn.2026-11.org.example:a" },
                { "  InitiatorName = iqn.2026-11.org.example:sp \n", "iqn.2026-11.org.example:sp" },
                { "# InitiatorName=iqn.x:no\nInitiatorAlias=a\n", "" },
                { "InitiatorName=\"iqn.q:q\"\n", "\"iqn.q:q\"" },
                { "InitiatorName=\n", "" },
                { "InitiatorName=\nInitiatorName=iqn.x:x\n", "iqn.x:x" },
                { "InitiatorName=IQN.2026-11.org.example:UP # c\n", "IQN.2026-11.org.example:UP # c" },
                { "XInitiatorName=iqn.x:x\n", "iqn.x:x" },
                { "GenerateName=yes\n", "" },
                { "", "" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *name = host_name_from_text(cases[i].text);

                g_assert_cmpstr(name, ==, cases[i].name);
        }
}

static void test_host_name_file(void) {
        static const struct {
                const char *text, *name, *why;
        } cases[] = {
                { "InitiatorName=iqn.2026-11.org.example:A\n", "iqn.2026-11.org.example:a", NULL },
                { "InitiatorName=\"iqn.q:q\"\n", NULL, "iscsid would use \"\"iqn.q:q\"\"" },
                { "# no\nGenerateName=yes\n", NULL, "GenerateName=yes" },
                { "", NULL, "no line InitiatorName=" },
                { NULL, NULL, "is not there" },
        };
        g_autofree char *directory = g_dir_make_tmp("host-name-XXXXXX", NULL), *path = g_build_filename(directory, "file", NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                HostName h;

                if (cases[i].text)
                        g_assert_true(g_file_set_contents(path, cases[i].text, -1, NULL));
                else
                        g_assert_cmpint(unlink(path), ==, 0);
                g_assert_cmpint(host_name_read(path, &h), ==, 0);
                g_assert_cmpstr(h.name, ==, cases[i].name);
                if (cases[i].why)
                        g_assert_nonnull(strstr(h.why, cases[i].why));
                else
                        g_assert_null(h.why);
                host_name_done(&h);
        }
        g_assert_cmpint(rmdir(directory), ==, 0);
}

/* A link is followed, a file longer than a page is read whole, and one that is too long is not cut. */
static void test_host_name_long(void) {
        g_autofree char *directory = g_dir_make_tmp("host-name-XXXXXX", NULL), *path = g_build_filename(directory, "file", NULL),
                        *link = g_build_filename(directory, "link", NULL), *page = g_strnfill(5000, '#'),
                        *much = g_strnfill(TEXT_FILE_MAX, '#'),
                        *text = g_strconcat(page, "\nInitiatorName=iqn.2026-11.org.example:x\n", NULL),
                        *too_long = g_strconcat(much, "\nInitiatorName=iqn.2026-11.org.example:x\n", NULL);
        HostName h;

        g_assert_cmpint(symlink("file", link), ==, 0);
        g_assert_true(g_file_set_contents(path, text, -1, NULL));
        g_assert_cmpint(host_name_read(link, &h), ==, 0);
        g_assert_cmpstr(h.name, ==, "iqn.2026-11.org.example:x");
        host_name_done(&h);

        g_assert_true(g_file_set_contents(path, too_long, -1, NULL));
        g_assert_cmpint(host_name_read(path, &h), ==, 0);
        g_assert_null(h.name);
        g_assert_nonnull(strstr(h.why, "longer than 65536 bytes"));
        host_name_done(&h);

        g_assert_cmpint(unlink(link), ==, 0);
        g_assert_cmpint(unlink(path), ==, 0);
        g_assert_cmpint(rmdir(directory), ==, 0);
}

/* RFC 7143 §11.12.5: the random format, a qualifier that counts from 1; the same on each call, another for each node. */
static void test_isid(void) {
        uint64_t a = isid_first("a", ""), b = isid_first("b", ""), record = isid_first("a", "r"), again;
        char text[IDENTIFIER_DIGITS + 1];
        const char *reason;

        g_assert_cmpuint(a, ==, isid_first("a", ""));
        g_assert_cmpuint(a, !=, b);
        g_assert_cmpuint(a, !=, record);
        g_assert_cmpuint(a >> 40, ==, 0x80);
        g_assert_cmpuint(a & 0xFFFF, ==, 1);
        g_assert_cmpuint((a >> 16) & 0xFFFFFF, !=, 0);
        g_assert_cmpint(identifier_from_text(identifier_to_text(a, text), ROLE_INITIATOR, &again, &reason), ==, 0);
        g_assert_cmpuint(a, ==, again);
}

static char *list_ports(const Records *records, const char *node, const HostName *host) {
        GString *s = g_string_new(NULL);
        NodePorts ports;

        g_assert_cmpint(node_ports_make(records, node, host, &ports), ==, 0);
        for (size_t i = 0; i < ports.n; i++) {
                if (i > 0)
                        g_assert_cmpuint(ports.items[i].identifier, >, ports.items[i - 1].identifier);
                g_string_append_printf(s, "%s%s ", ports.items[i].ours ? "+" : "", ports.items[i].record->file);
        }
        node_ports_done(&ports);
        return g_string_free(s, FALSE);
}

static int compare_words(gconstpointer a, gconstpointer b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Words of TEXT in their order by bytes, since that by Identifiers differs from machine to machine. */
static char *sorted(char *text) {
        g_auto(GStrv) words = g_strsplit(g_strstrip(text), " ", -1);

        qsort(words, g_strv_length(words), sizeof(char *), compare_words);
        g_free(text);
        return g_strjoinv(" ", words);
}

static void test_node_ports(void) {
        char ours[RECORD_NAME_MAX + 1];
        Record items[] = {
                { .file = ours, .transport = (char *) "tcp", .initiator = (char *) "iqn.2026-11.org.example:changed" },
                { .file = (char *) "hers", .transport = (char *) "tcp", .initiator = (char *) NODE },
                { .file = (char *) "invalid", .initiator = (char *) NODE },
                { .file = (char *) "plain", .transport = (char *) "tcp" },
                { .file = (char *) "host", .transport = (char *) "tcp", .initiator = (char *) "iqn.2026-11.org.example:host" },
                { .file = (char *) "icd-host-800000000001", .transport = (char *) "tcp" },
        };
        HostName host = { .name = (char *) "iqn.2026-11.org.example:host" }, none = {};
        Records records = { .items = items, .n = G_N_ELEMENTS(items) };
        g_autofree char *of_node = NULL, *of_host = NULL, *without = NULL, *of_changed = NULL;

        record_name_make(NODE, 0x800000000001, ours);
        of_node = sorted(list_ports(&records, NODE, &host));
        g_assert_true(g_str_has_prefix(of_node, "+icd-"));
        g_assert_true(g_str_has_suffix(of_node, " hers"));
        of_host = sorted(list_ports(&records, HOST_NODE, &host));
        g_assert_cmpstr(of_host, ==, "+icd-host-800000000001 default host iser plain");
        without = sorted(list_ports(&records, HOST_NODE, &none));
        g_assert_cmpstr(without, ==, "+icd-host-800000000001 default iser plain");

        /* What has become of its content does not make it another node's. */
        of_changed = list_ports(&records, "iqn.2026-11.org.example:changed", &host);
        g_assert_cmpstr(of_changed, ==, "");
}

static void test_drift(void) {
        const struct {
                Record record;
                const char *word;
        } cases[] = {
                { { .transport = (char *) "tcp", .netdev = (char *) "i0", .initiator = (char *) NODE, .name = (char *) "f" },
                  NULL },
                { { .empty = true }, "is empty" },
                { { .transport = (char *) "iser", .netdev = (char *) "i0", .initiator = (char *) NODE, .name = (char *) "f" },
                  "iser" },
                { { .transport = (char *) "tcp", .netdev = (char *) "i0", .name = (char *) "f" }, "the host's" },
                { { .transport = (char *) "tcp", .netdev = (char *) "i0", .initiator = (char *) "x", .name = (char *) "f" },
                  " x " },
                { { .transport = (char *) "tcp", .netdev = (char *) "i0", .initiator = (char *) NODE, .name = (char *) "g" },
                  "called g" },
                { { .transport = (char *) "tcp", .initiator = (char *) NODE, .name = (char *) "f" }, "no network interface" },
                { { .transport = (char *) "tcp",
                    .netdev = (char *) "i0",
                    .initiator = (char *) NODE,
                    .name = (char *) "f",
                    .hwaddress = (char *) "aa" },
                  "hardware" },
                { { .transport = (char *) "tcp",
                    .netdev = (char *) "i0",
                    .initiator = (char *) NODE,
                    .name = (char *) "f",
                    .unknown = (char *) "x.y" },
                  "x.y" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                Record r = cases[i].record;
                g_autofree char *drift = NULL;

                r.file = (char *) "f";
                g_assert_cmpint(record_drift(&r, NODE, &drift), ==, 0);
                if (cases[i].word)
                        g_assert_nonnull(strstr(drift, cases[i].word));
                else
                        g_assert_null(drift);
        }
}

/* The lock is free, another program's, one of ours that is held, and one that a worker which died has left. */
static void test_lock(void) {
        g_autofree char *directory = g_dir_make_tmp("lock-XXXXXX", NULL), *path = g_build_filename(directory, "lock.write", NULL),
                        *left = g_build_filename(directory, ".iscsi-configd-4194305-abcdef", NULL),
                        *link = g_strconcat(directory, ".link", NULL);
        Installation at = { .lock_directory = directory };
        DatabaseLock lock = { .fd = -1 }, second = { .fd = -1 };
        g_autofree char *content = NULL;
        Report report = {};

        if (geteuid() != 0) {
                g_assert_cmpint(rmdir(directory), ==, 0);
                g_test_skip("the directory of the lock must be root's");
                return;
        }
        g_assert_cmpint(database_lock(&at, NULL, &lock, &report), ==, 0);
        g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
        g_assert_cmpint(database_lock(&at, NULL, &second, &report), <, 0);
        g_assert_cmpint(report.refusal, ==, REFUSAL_BUSY);
        g_assert_true(g_file_get_contents(path, &content, NULL, NULL));
        database_unlock(&lock);
        g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));

        /* What is in it makes it ours, and that nobody has it locked makes it dead. */
        g_assert_true(g_file_set_contents(path, content, -1, NULL));
        g_assert_cmpint(database_lock(&at, NULL, &lock, &report), ==, 0);
        database_unlock(&lock);
        g_assert_true(g_file_set_contents(path, content, -1, NULL));
        database_lock_clean(&at);
        g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));

        /* A directory that others can write to, or that stands behind a link, is not used. */
        g_assert_cmpint(chmod(directory, 01777), ==, 0);
        g_assert_true(g_file_set_contents(path, content, -1, NULL));
        g_assert_true(g_file_set_contents(left, "", 0, NULL));
        g_assert_cmpint(database_lock(&at, NULL, &lock, &report), <, 0);
        g_assert_cmpint(report.refusal, ==, REFUSAL_FAILED);
        g_assert_nonnull(strstr(report.message, "not only root may write"));
        database_clean(&at);
        g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
        g_assert_true(g_file_test(left, G_FILE_TEST_EXISTS));
        g_assert_cmpint(chmod(directory, 0700), ==, 0);
        g_assert_cmpint(symlink(directory, link), ==, 0);
        g_assert_cmpint(database_lock(&(Installation){ .lock_directory = link }, NULL, &lock, &report), <, 0);
        g_assert_nonnull(strstr(report.message, "link"));
        g_assert_cmpint(chown(directory, 1, -1), ==, 0);
        g_assert_cmpint(database_lock(&at, NULL, &lock, &report), <, 0);
        g_assert_nonnull(strstr(report.message, "does not belong to root"));
        g_assert_cmpint(chown(directory, 0, -1), ==, 0);
        database_clean(&at);
        g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
        g_assert_false(g_file_test(left, G_FILE_TEST_EXISTS));
        g_assert_cmpint(unlink(link), ==, 0);

        for (const char *const *other = (const char *const[]){ "", "x", NULL }; *other; other++) {
                g_assert_true(g_file_set_contents(path, *other, -1, NULL));
                database_lock_clean(&at);
                g_assert_cmpint(database_lock(&at, NULL, &lock, &report), <, 0);
                g_assert_cmpint(report.refusal, ==, REFUSAL_BUSY);
                g_assert_nonnull(strstr(report.message, path));
                g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
        }

        report_done(&report);
        g_assert_cmpint(unlink(path), ==, 0);
        g_assert_cmpint(rmdir(directory), ==, 0); /* nothing else was left */
}

static void in_directory(const char *directory, const char *script) {
        g_autofree char *line = g_strdup_printf("cd '%s' && { %s; }", directory, script);

        g_assert_cmpint(system(line), ==, 0);
}

#define SESSION "mkdir -p class/iscsi_session/session3; cd class/iscsi_session/session3; "
#define TARGET "mkdir -p nodes/T; cd nodes/T; "

/* What cannot be read may be a use; what is not there is none. */
static void test_use(void) {
        static const struct {
                const char *make, *word; /* "": no use; NULL: it is refused */
        } cases[] = {
                { "true", "" },
                { SESSION "echo rec >ifacename; echo T >targetname", "session 3 with T" },
                { SESSION "echo rec >ifacename", "session 3 with a target that is not known yet" },
                { SESSION "echo other >ifacename; mkdir targetname", "" },
                { SESSION "true", "" },
                { SESSION "mkdir ifacename", NULL },
                { SESSION "echo rec >ifacename; mkdir targetname", NULL },
                { "mkdir class; : >class/iscsi_session", NULL },
                { TARGET "mkdir P; : >P/rec", "P/rec" },
                { TARGET "mkdir P; ln -s /nowhere P/rec", "P/rec" },
                { TARGET "mkdir P; : >P/other", "" },
                { TARGET "echo 'iface.iscsi_ifacename = rec' >P", "nodes/T/P" },
                { TARGET "echo 'iface.iscsi_ifacename = other' >P", "" },
                { TARGET "ln -s P P", NULL },
                { TARGET "head -c 70000 /dev/zero >P", NULL },
                { "mkdir nodes; : >nodes/T", "" },
                { "mkdir nodes; ln -s T nodes/T", NULL },
                { ": >nodes", NULL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *directory = g_dir_make_tmp("use-XXXXXX", NULL), *names = NULL, *all = NULL;
                Installation at = { .directory = directory, .sysfs = directory };
                Report report = {};
                Use use = {};
                int r;

                g_test_message("%s", cases[i].make);
                in_directory(directory, cases[i].make);
                r = use_read(&at, "rec", &use, &report);
                g_assert_cmpint(r < 0, ==, cases[i].word == NULL);
                if (cases[i].word) {
                        names = texts_join(&use.sessions);
                        all = texts_join(&use.records);
                        g_assert_cmpuint(use.sessions.n + use.records.n, ==, cases[i].word[0] != '\0');
                        g_assert_true(strstr(names, cases[i].word) || strstr(all, cases[i].word));
                } else
                        g_assert_nonnull(strstr(report.message, "not known whether"));
                use_done(&use);
                report_done(&report);
                in_directory(directory, "rm -r \"$PWD\"");
        }
}

/* A part of a record is not taken for the whole. */
static void test_long_record(void) {
        g_autofree char *directory = g_dir_make_tmp("long-XXXXXX", NULL);
        Installation at = { .directory = directory };
        Report report = {};
        Record record;

        in_directory(directory, "mkdir ifaces; head -c 65537 /dev/zero | tr '\\0' '#' >ifaces/rec");
        g_assert_cmpint(database_read(&at, "rec", &record, NULL, &report), <, 0);
        g_assert_nonnull(strstr(report.message, "File too large"));
        report_done(&report);
        in_directory(directory, "truncate -s 65536 ifaces/rec");
        g_assert_cmpint(database_read(&at, "rec", &record, NULL, &report), ==, 1);
        record_done(&record);
        in_directory(directory, "rm -r \"$PWD\"");
}

/* The answers of a worker that finds open-iscsi only after its start, in a root directory of its own. Returns the number of the
 * first that is wrong, 0 if none is. */
static int look_before_and_after(const char *root) {
        OpenIscsi o = { .at = { .host_name = "/etc/iscsi/initiatorname.iscsi", .sysfs = "/sys" } }, second, third;
        const WorkerEngine *e = &open_iscsi_engine;
        ObservedNode node = {};
        Report report = {};
        Texts nodes = {};
        void *call;

        if (chroot(root) < 0 || chdir("/") < 0)
                return 1;
        if (e->list_nodes(&o, &nodes, &report) < 0 || nodes.n != 0 || e->is_outdated(&o))
                return 2;
        if (e->observe(&o, HOST_NODE, &node, &report) < 0 || node.exists || e->is_outdated(&o))
                return 3;
        second = third = o;
        if (g_mkdir_with_parents("/etc/iscsi", 0755) < 0)
                return 4;
        if (e->list_nodes(&o, &nodes, &report) < 0 || nodes.n != 1 || !e->is_outdated(&o))
                return 5;
        observed_node_done(&node);
        if (e->observe(&second, HOST_NODE, &node, &report) < 0 || !node.exists || !e->is_outdated(&second))
                return 6;
        (void) e->begin(&third, &(Request){ .node = HOST_NODE }, NULL, &report, &call);
        e->end(call);
        return report.refusal != REFUSAL_BACKEND_UNAVAILABLE || !strstr(report.message, "call again") ? 7 : 0;
}

/* One iscsiadm that does not end, and what is there of the lock and of other programs. */
static void test_iscsiadm_late(void) {
        static const struct {
                const char *before, *script; /* of the shell; it is in the directory */
                bool asks_iscsid, lock_stays;
                const char *word, *not_word;
        } cases[] = {
                { "true", "exec sleep 60", true, false, "is iscsid running?", "lock" },
                { "true", "exec sleep 60", false, false, "did not end within 1 seconds", "iscsid" },
                { "true", "ln lock lock.write; exec sleep 60", true, false, "did not end", "iscsid" },
                { "true", "trap '' TERM; ln lock lock.write; while :; do sleep 0.1; done", false, false, "did not end",
                  "iscsid" },
                /* It tidies up itself. */
                { "ln lock lock.write", "trap 'rm lock.write; exit' TERM; while :; do sleep 0.1; done", true, false,
                  "did not end", "iscsid" },
                /* Another program's: there before, touched since, or another iscsiadm is there. */
                { "ln lock lock.write", "exec sleep 60", true, true, "lock.write is there", "iscsid" },
                { "true", "trap '' TERM; ln lock lock.write; sleep 1.3; rm lock.write; ln lock lock.write; exec sleep 60", true,
                  true, "lock.write is there", "iscsid" },
                { "mkdir proc/7; echo iscsiadm >proc/7/comm", "ln lock lock.write; exec sleep 60", true, true,
                  "lock.write is there", "iscsid" },
                { "rm -r proc", "ln lock lock.write; exec sleep 60", true, true, "lock.write is there", "iscsid" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *directory = g_dir_make_tmp("late-XXXXXX", NULL), *line = NULL,
                                *program = g_build_filename(directory, "program", NULL),
                                *proc = g_build_filename(directory, "proc", NULL),
                                *lock = g_build_filename(directory, "lock.write", NULL);
                Installation at = { .lock_directory = directory, .iscsiadm = program, .iscsiadm_msec = 1000, .proc = proc };
                Report report = {};
                gint64 begin = g_get_monotonic_time();

                line = g_strdup_printf("#!/bin/sh\ncd '%s'\n%s\n", directory, cases[i].script);
                g_assert_true(g_file_set_contents(program, line, -1, NULL));
                g_assert_cmpint(chmod(program, 0755), ==, 0);
                in_directory(directory, ": >lock; mkdir -p proc/1; echo init >proc/1/comm");
                in_directory(directory, cases[i].before);

                g_test_message("%s, %s", cases[i].before, cases[i].script);
                g_assert_cmpint(iscsiadm_run(&at,
                                             &(Errand){ .what = "log out of session 3",
                                                        .arguments = (const char *const[]){ NULL },
                                                        .asks_iscsid = cases[i].asks_iscsid },
                                             &report),
                                <, 0);
                g_assert_cmpint(g_get_monotonic_time() - begin, <, 20 * G_USEC_PER_SEC);
                g_test_message("%s", report.message);
                g_assert_true(g_str_has_prefix(report.message, "Cannot log out of session 3: "));
                g_assert_nonnull(strstr(report.message, cases[i].word));
                g_assert_null(strstr(report.message, cases[i].not_word));
                g_assert_cmpint(report.refusal, ==, cases[i].lock_stays ? REFUSAL_BUSY : REFUSAL_FAILED);
                g_assert_cmpint(g_file_test(lock, G_FILE_TEST_EXISTS), ==, cases[i].lock_stays);
                report_done(&report);
                in_directory(directory, "rm -r \"$PWD\"");
        }
}

/* Two texts with one hash (64-bit FNV-1a), which may thus be two nodes with one name for their records. */
static void test_record_of_other(void) {
        static const char one[] = "8yn0iYCKYHlIj4-BwPqk", other[] = "GReLUrM4wMqfg9yzV3KQ";
        static const struct {
                const char *initiator;
                bool refused;
        } cases[] = { { other, true }, { one, false }, { NODE, false } };
        g_autofree char *directory = g_dir_make_tmp("other-XXXXXX", NULL);
        const Operation op = { .verb = VERB_MAKE_PORT, .identifier = 0x800000000001 };
        Installation at = { .directory = directory };
        char name[RECORD_NAME_MAX + 1];

        g_assert_cmpuint(hash_text(one), ==, hash_text(other));
        record_name_make(one, op.identifier, name);
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *line =
                        g_strdup_printf("mkdir -p ifaces; echo 'iface.initiatorname = %s' >ifaces/%s", cases[i].initiator, name);
                Call c = { .at = &at, .node = one };
                Report report = {};
                int r;

                in_directory(directory, line);
                r = decide_make_port(&c, &op, &report, NULL);
                g_assert_cmpint(r < 0, ==, cases[i].refused);
                g_assert_cmpint(report.refusal, ==, cases[i].refused ? REFUSAL_NAME_IN_USE : REFUSAL_NONE);
                report_done(&report);
                call_done(&c);
        }
        in_directory(directory, "rm -r \"$PWD\"");
}

static void test_installed_later(void) {
        g_autofree char *directory = g_dir_make_tmp("root-XXXXXX", NULL);
        int status;
        pid_t pid;

        if (geteuid() != 0) {
                g_test_skip("chroot() is for root");
                return;
        }
        pid = fork();
        if (pid == 0)
                _exit(look_before_and_after(directory));
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_cmpint(status, ==, 0);
        in_directory(directory, "rm -r \"$PWD\"");
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/open-iscsi/parse", test_parse);
        g_test_add_func("/open-iscsi/odd-lines", test_odd_lines);
        g_test_add_func("/open-iscsi/format", test_format);
        g_test_add_func("/open-iscsi/format-again", test_format_again);
        g_test_add_func("/open-iscsi/names", test_names);
        g_test_add_func("/open-iscsi/host-name", test_host_name);
        g_test_add_func("/open-iscsi/host-name-file", test_host_name_file);
        g_test_add_func("/open-iscsi/host-name-long", test_host_name_long);
        g_test_add_func("/open-iscsi/isid", test_isid);
        g_test_add_func("/open-iscsi/node-ports", test_node_ports);
        g_test_add_func("/open-iscsi/drift", test_drift);
        g_test_add_func("/open-iscsi/lock", test_lock);
        g_test_add_func("/open-iscsi/use", test_use);
        g_test_add_func("/open-iscsi/long-record", test_long_record);
        g_test_add_func("/open-iscsi/iscsiadm-late", test_iscsiadm_late);
        g_test_add_func("/open-iscsi/record-of-other", test_record_of_other);
        g_test_add_func("/open-iscsi/installed-later", test_installed_later);
        return g_test_run();
}
