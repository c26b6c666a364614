/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store-fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>

char *directory_new(void) {
        char *path;

        path = g_dir_make_tmp("test-store-XXXXXX", NULL);
        g_assert_nonnull(path);
        return path;
}

void directory_remove(char *path) {
        g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
        const char *name;

        g_assert_nonnull(directory);
        while ((name = g_dir_read_name(directory))) {
                g_autofree char *inner = g_build_filename(path, name, NULL);

                if (g_file_test(inner, G_FILE_TEST_IS_DIR) && !g_file_test(inner, G_FILE_TEST_IS_SYMLINK))
                        directory_remove(g_steal_pointer(&inner));
                else
                        g_assert_cmpint(g_unlink(inner), ==, 0);
        }

        g_assert_cmpint(g_rmdir(path), ==, 0);
        g_free(path);
}

char *store_file(const char *directory, const char *suffix) {
        return g_strdup_printf("%s/" STORE_FILE_NAME "%s", directory, suffix);
}

char *directory_copy(const char *directory) {
        static const char *const suffixes[] = { "", "-wal", "-journal" };
        char *copy = directory_new();

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                g_autofree char *from = store_file(directory, suffixes[i]), *to = store_file(copy, suffixes[i]), *content = NULL;
                size_t n;

                if (g_file_get_contents(from, &content, &n, NULL))
                        g_assert_true(g_file_set_contents(to, content, (gssize) n, NULL));
        }

        return copy;
}

int in_child(int (*f)(const char *directory), const char *directory) {
        int status;
        pid_t pid;

        pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0)
                _exit(f(directory));
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

char *directory_list(const char *directory) {
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GDir) d = g_dir_open(directory, 0, NULL);
        g_autoptr(GString) text = g_string_new(NULL);
        const char *name;

        g_assert_nonnull(d);
        while ((name = g_dir_read_name(d)))
                g_ptr_array_add(names, g_strdup(name));
        g_ptr_array_sort(names, compare_names);

        for (unsigned i = 0; i < names->len; i++)
                g_string_append_printf(text, "%s ", (const char *) names->pdata[i]);

        return g_string_free(g_steal_pointer(&text), FALSE);
}

Portal portal(const char *text) {
        Portal p;

        g_assert_cmpint(portal_from_text(text, &p), ==, 0);
        return p;
}

Portal ip_portal(const char *text) {
        Portal p = {};

        g_assert_cmpint(ip_address_from_text(text, &p.address), ==, 0);
        return p;
}

static const char *op_portal(const StoreOperation *op, char text[static PORTAL_TEXT_MAX]) {
        g_assert_cmpuint(op->n_portals, ==, 1);
        return portal_to_text(op->portals, text);
}

static void dump_port(const StoreOperation *op, GString *s) {
        g_string_append_printf(s, "port %s %u %012" G_GINT64_MODIFIER "X%s", op->node, op->role, op->identifier,
                               op->enabled ? "" : " off");
        for (size_t i = 0; i < op->n_portals; i++) {
                char text[PORTAL_TEXT_MAX];

                g_string_append_printf(s, " %s", portal_to_text(&op->portals[i], text));
        }
        g_string_append_c(s, '\n');
}

static int dump(const StoreOperation *op, void *userdata) {
        char text[PORTAL_TEXT_MAX], address[IP_ADDRESS_TEXT_MAX];
        GString *s = userdata;

        switch (op->verb) {
        case STORE_ADD_SETTING:
                g_string_append_printf(s, "setting %s '%s'\n", op->key, op->value);
                break;
        case STORE_ADD_PORTAL_GROUP:
                g_string_append_printf(s, "group %" G_GUINT64_FORMAT " '%s'\n", op->id, op->element_name);
                break;
        case STORE_ADD_TCP_ENDPOINT:
                g_string_append_printf(s, "tcp %s\n", op_portal(op, text));
                break;
        case STORE_ADD_MEMBER:
                g_string_append_printf(s, "member %" G_GUINT64_FORMAT " %s\n", op->id, op_portal(op, text));
                break;
        case STORE_ADD_ADDRESS:
                g_string_append_printf(s, "address %s '%s'%s%s\n", ip_address_to_text(&op->address, address), op->element_name,
                                       op->boot_id[0] ? " boot " : "", op->boot_id);
                break;
        case STORE_ADD_NODE:
                g_string_append_printf(s, "node %s '%s' %u%s%s%s%s\n", op->node, op->alias, op->roles,
                                       op->boot_id[0] ? " boot " : "", op->boot_id, op->drift_policy[0] ? " drift " : "",
                                       op->drift_policy);
                break;
        case STORE_ADD_PORT:
                dump_port(op, s);
                break;
        case STORE_ADD_JOURNAL:
                g_string_append_printf(s, "journal %" G_GUINT64_FORMAT " '%s' '%s'\n", op->id, op->action, op->before);
                break;
        default:
                g_assert_not_reached();
        }
        return 0;
}

char *image_dump(const StoreImage *image) {
        g_autoptr(GString) text = g_string_new(NULL);

        g_assert_cmpint(store_image_visit(image, dump, text), ==, 0);
        return g_string_free(g_steal_pointer(&text), FALSE);
}

static void opened(Store *store, const StoreImage *image, void *userdata) {
        TestStore *s = userdata;

        s->n_opened++;
        s->error = 0;
        g_clear_pointer(&s->fault, g_free);
        g_free(s->image);
        s->image = image_dump(image);
        s->next_group_id = store_image_next_id(image, STORED_PORTAL_GROUP);
        s->next_journal_id = store_image_next_id(image, STORED_JOURNAL);
        if (s->store) {
                g_assert_true(store == s->store);
                g_assert_true(store_is_open(store));
                g_assert_null(store_fault(store));
        }
}

static void unavailable(Store *store, const StoreFault *fault, void *userdata) {
        TestStore *s = userdata;

        s->n_unavailable++;
        s->error = fault->error;
        g_free(s->fault);
        s->fault = g_strdup(fault->why);
        g_assert_cmpint(s->error, <, 0);
        g_assert_nonnull(strstr(s->fault, s->directory));
        g_assert_false(store_is_open(store));
        g_assert_true(store_fault(store) == fault);
}

void test_store_wait(TestStore *s, const unsigned *n, unsigned wanted) {
        while (*n < wanted)
                g_assert_cmpint(sd_event_run(s->event, 60 * G_USEC_PER_SEC), >, 0);
}

TestStore *test_store_new(const char *directory) {
        static const StoreCallbacks callbacks = { opened, unavailable };
        TestStore *s = g_new0(TestStore, 1);

        s->directory = realpath(directory, NULL);
        if (!s->directory)
                s->directory = strdup(directory);
        g_assert_cmpint(sd_event_new(&s->event), ==, 0);
        g_assert_cmpint(store_new(s->event, directory, &callbacks, s, &s->store), ==, 0);
        g_assert_false(store_is_open(s->store));
        g_assert_null(store_fault(s->store));
        while (s->n_opened + s->n_unavailable == 0)
                g_assert_cmpint(sd_event_run(s->event, 60 * G_USEC_PER_SEC), >, 0);

        return s;
}

TestStore *test_store_close(TestStore *s) {
        if (!s)
                return NULL;

        g_assert_null(store_close(s->store));
        sd_event_unref(s->event);
        free(s->directory);
        g_free(s->fault);
        g_free(s->image);
        g_free(s->why);
        g_free(s);
        return NULL;
}

TestStore *directory_open(const char *directory) {
        TestStore *s = test_store_new(directory);

        g_assert_cmpint(s->error, ==, 0);
        return s;
}

int directory_try(const char *directory, char **ret_why) {
        TestStore *s = test_store_new(directory);
        int r = s->error;

        if (ret_why)
                *ret_why = g_steal_pointer(&s->fault);
        test_store_close(s);
        return r;
}

typedef struct Waiting {
        TestStore *store;
        unsigned n;
} Waiting;

static void committed(int r, const char *why, void *userdata) {
        Waiting *w = userdata;

        w->n++;
        w->store->result = r;
        g_free(w->store->why);
        w->store->why = g_strdup(why);
        g_assert_true((r < 0) == (why != NULL));
}

int change_commit(TestStore *s, StoreChange *c) {
        Waiting w = { .store = s };

        g_assert_cmpint(store_commit(s->store, c, STORE_NOW, committed, &w, NULL), ==, 0);
        g_assert_cmpuint(w.n, ==, 0);
        test_store_wait(s, &w.n, 1);
        g_assert_cmpuint(w.n, ==, 1);
        return s->result;
}

StoreChange *change_of(const StoreOperation *op) {
        StoreChange *c = store_change_new();

        g_assert_nonnull(c);
        g_assert_cmpint(store_change_add(c, op), ==, 0);
        return c;
}

int operation_commit(TestStore *s, const StoreOperation *op) {
        _cleanup_(store_change_freep) StoreChange *c = store_change_new();
        int r;

        r = store_change_add(c, op);
        if (r < 0) {
                g_free(s->why);
                s->why = g_strdup(g_strerror(-r));
                return r;
        }

        return change_commit(s, TAKE_PTR(c));
}

int add_node(TestStore *s, const char *name, const char *alias, unsigned roles) {
        return operation_commit(s, &(StoreOperation){ .verb = STORE_ADD_NODE, .node = name, .alias = alias, .roles = roles });
}

int remove_node(TestStore *s, const char *name) {
        return operation_commit(s, &(StoreOperation){ .verb = STORE_REMOVE_NODE, .node = name });
}

int add_port(TestStore *s, const StorePort *port) {
        StoreOperation op = *port;

        op.verb = STORE_ADD_PORT;
        op.enabled = true;
        return operation_commit(s, &op);
}

int remove_port(TestStore *s, const char *node, uint64_t identifier) {
        return operation_commit(s, &(StoreOperation){ .verb = STORE_REMOVE_PORT, .node = node, .identifier = identifier });
}

static int portal_commit(TestStore *s, StoreOperation op, const Portal *p) {
        op.portals = p;
        op.n_portals = 1;
        return operation_commit(s, &op);
}

int add_binding(TestStore *s, const char *node, uint64_t identifier, const Portal *p) {
        return portal_commit(s, (StoreOperation){ .verb = STORE_ADD_BINDING, .node = node, .identifier = identifier }, p);
}

int remove_binding(TestStore *s, const char *node, uint64_t identifier, const Portal *p) {
        return portal_commit(s, (StoreOperation){ .verb = STORE_REMOVE_BINDING, .node = node, .identifier = identifier }, p);
}

int add_tcp_endpoint(TestStore *s, const Portal *p, uint64_t group) {
        return portal_commit(s, (StoreOperation){ .verb = STORE_ADD_TCP_ENDPOINT, .id = group }, p);
}

int remove_tcp_endpoint(TestStore *s, const Portal *p) {
        return portal_commit(s, (StoreOperation){ .verb = STORE_REMOVE_TCP_ENDPOINT }, p);
}

int add_portal_group(TestStore *s, uint64_t id, const char *element_name) {
        return operation_commit(s, &(StoreOperation){ .verb = STORE_ADD_PORTAL_GROUP, .id = id, .element_name = element_name });
}

int remove_portal_group(TestStore *s, uint64_t id) {
        return operation_commit(s, &(StoreOperation){ .verb = STORE_REMOVE_PORTAL_GROUP, .id = id });
}

int add_member(TestStore *s, uint64_t group, const Portal *p) {
        return portal_commit(s, (StoreOperation){ .verb = STORE_ADD_MEMBER, .id = group }, p);
}

int remove_member(TestStore *s, uint64_t group, const Portal *p) {
        return portal_commit(s, (StoreOperation){ .verb = STORE_REMOVE_MEMBER, .id = group }, p);
}

char *store_dump(TestStore *s) {
        Database d = { .db = raw_open(s->directory) };
        StoreImage *image = NULL;
        char *text;
        int r;

        r = database_load(&d, &image);
        if (r < 0)
                g_test_message("%s", d.error);
        g_assert_cmpint(r, ==, 0);
        text = image_dump(image);
        image_free(image);
        database_disconnect(&d);
        return text;
}

char *directory_dump(const char *directory) {
        TestStore *s = directory_open(directory);
        char *text = g_steal_pointer(&s->image);

        test_store_close(s);
        return text;
}

sqlite3 *raw_open(const char *directory) {
        g_autofree char *path = store_file(directory, "");
        sqlite3 *db = NULL;

        g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
        return db;
}

void raw_exec(sqlite3 *db, const char *sql) {
        char *message = NULL;

        (void) sqlite3_exec(db, sql, NULL, NULL, &message);
        g_assert_cmpstr(message, ==, NULL);
}

int raw_integer(sqlite3 *db, const char *sql) {
        sqlite3_stmt *statement = NULL;
        int n;

        g_assert_cmpint(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
        n = sqlite3_column_int(statement, 0);
        sqlite3_finalize(statement);
        return n;
}

#define TARGET "iqn.2024-01.org.example:disks"
#define HOST "iqn.2024-01.org.example:host"

static int add_target_port(TestStore *s, uint64_t tag, const char *first, const char *second) {
        Portal portals[] = { portal(first), portal(second) };

        return add_port(s, &(StoreOperation){ .node = TARGET, .role = 3, .identifier = tag, .portals = portals, .n_portals = 2 });
}

/* Several operations in one change. */
static int run_all(TestStore *s, const StoreOperation *operations, size_t n) {
        StoreChange *c = store_change_new();

        for (size_t i = 0; i < n; i++)
                g_assert_cmpint(store_change_add(c, &operations[i]), ==, 0);
        return change_commit(s, c);
}

static int begin_journal(TestStore *s) {
        const StoreOperation operations[] = {
                { .verb = STORE_ADD_ADDRESS, .address = ip_portal("10.0.0.9").address, .element_name = "floating" },
                { .verb = STORE_SET_NODE, .node = HOST, .alias = "the guest", .drift_policy = "enforce" },
                { .verb = STORE_SET_PORT, .node = HOST, .identifier = 0x00023D000001, .enabled = false },
                { .verb = STORE_ADD_SETTING, .key = "drift-policy", .value = "report" },
                { .verb = STORE_ADD_JOURNAL, .id = 7, .action = "delete", .before = "{}" },
        };

        return run_all(s, operations, ELEMENTSOF(operations));
}

static int end_journal(TestStore *s) {
        const StoreOperation operations[] = {
                { .verb = STORE_REMOVE_JOURNAL, .id = 7 },
                { .verb = STORE_REMOVE_ADDRESS, .address = ip_portal("10.0.0.9").address },
                { .verb = STORE_ADD_SETTING, .key = "drift-policy", .value = "enforce" },
                { .verb = STORE_SET_NODE, .node = HOST, .drift_policy = "" },
        };

        return run_all(s, operations, ELEMENTSOF(operations));
}

int change_run(TestStore *s, unsigned i) {
        Portal address = ip_portal("fe80::1%eth0"), extra = portal("[2001:db8::7]:3261"), automatic = portal("10.0.0.1:3260");
        Portal first = portal("10.0.0.2:3260");

        switch (i) {
        case 0:
                return add_node(s, TARGET, "", 1u << 3);
        case 1:
                return add_node(s, HOST, "the host", 1u << 2 | 1u << 3);
        case 2:
                return add_target_port(s, 1, "10.0.0.2:3260", "10.0.0.1:3260");
        case 3:
                return add_port(
                        s, &(StoreOperation){
                                   .node = HOST, .role = 2, .identifier = 0x00023D000001, .portals = &address, .n_portals = 1 });
        case 4:
                return add_target_port(s, 2, "10.0.0.3:3260", "[::1]:860");
        case 5:
                return add_portal_group(s, 1, "front");
        case 6:
                return add_portal_group(s, 2, "");
        case 7:
                return add_tcp_endpoint(s, &extra, 2);
        case 8:
                return add_member(s, 1, &automatic);
        case 9:
                return add_binding(s, TARGET, 1, &extra);
        case 10:
                return remove_binding(s, TARGET, 1, &first);
        case 11:
                return add_member(s, 1, &extra);
        case 12:
                return remove_tcp_endpoint(s, &extra);
        case 13:
                return remove_portal_group(s, 2);
        case 14:
                return add_portal_group(s, 3, "third");
        case 15:
                return remove_member(s, 1, &automatic);
        case 16:
                return remove_port(s, TARGET, 2);
        case 17:
                return remove_node(s, TARGET);
        case 18:
                return add_tcp_endpoint(s, &automatic, 0);
        case 19:
                return begin_journal(s);
        case 20:
                return end_journal(s);
        default:
                g_assert_not_reached();
        }
}

const unsigned n_changes = 21;

static char *states[CHANGES_MAX];

const char *state_after(unsigned n) {
        if (!states[0]) {
                char *directory = directory_new();
                TestStore *s = directory_open(directory);

                states[0] = store_dump(s);
                for (unsigned i = 0; i < n_changes; i++) {
                        g_assert_cmpint(change_run(s, i), ==, 0);
                        states[i + 1] = store_dump(s);
                        g_assert_cmpstr(states[i + 1], !=, states[i]);
                }

                test_store_close(s);
                directory_remove(directory);
        }

        g_assert_cmpuint(n, <=, n_changes);
        return states[n];
}

void states_free(void) {
        for (unsigned i = 0; i < CHANGES_MAX; i++)
                g_clear_pointer(&states[i], g_free);
}
