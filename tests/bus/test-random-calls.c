/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Random calls with arguments of the right types: each ends well or with a documented error of its method, never with one that cannot happen;
 * the signals tell of everything; and all of it is there after a restart. The seed is in the output: --seed repeats a run. */

#include <string.h>

#include "calls.h"
#include "mirror.h"
#include "common/refusal.h"

#define N_CALLS 2000
#define N_CALLS_BETWEEN_LOOKS 40 /* at the objects that there are */

typedef struct World {
        Service *service;
        sd_bus *bus;
        char **paths; /* as of the last look */
        unsigned n_done;
        unsigned n_refused;
} World;

static gint32 below(gint32 n) {
        return g_test_rand_int_range(0, n);
}

static bool one_in(gint32 n) {
        return below(n) == 0;
}

#define PICK(array) array[below(G_N_ELEMENTS(array))]

static char *random_text(void) {
        static const gunichar characters[] = { 'a',    'Z',    '0',    '.',    ':',    '-',     '_',     '/',
                                               '%',    ' ',    '\n',   0x7F,   0x85,   0xE4,    0x130,   0x301,
                                               0x6F22, 0x200B, 0x202E, 0xFEFF, 0xFFFD, 0x1F600, 0x10FFFD };
        static const int lengths[] = { 0, 1, 2, 5, 20, 127, 128, 129, 223, 300, 1100 };
        GString *s = g_string_new(NULL);

        for (int n = PICK(lengths); n > 0; n--)
                g_string_append_unichar(s, PICK(characters));
        return g_string_free(s, FALSE);
}

static char *random_node_name(void) {
        static const char *const prefixes[] = { "iqn.2026-11.org.example:",
                                                "IQN.2026-11.ORG.EXAMPLE:",
                                                "iqn.2026-13.org.example:",
                                                "iqn.2026-11.org.example",
                                                "eui.",
                                                "naa." };

        if (one_in(4)) {
                g_autofree char *text = random_text();

                return g_strconcat(PICK(prefixes), text, NULL);
        }
        if (one_in(6))
                return g_strdup_printf("%s%08x%08x", one_in(2) ? "eui." : "naa.", g_test_rand_int(), g_test_rand_int());
        return g_strdup_printf("%s%c%c", prefixes[below(2)], 'a' + below(6), 'A' + below(3));
}

/* With a byte changed, left out or doubled, but a path still. */
static char *damage_path(const char *path) {
        static const char letters[] = "abcdefxyzABCDEF0123456789_/";
        GString *s = g_string_new(path);
        gsize at = 1 + (gsize) below((gint32) MAX(1, s->len - 1));

        if (at < s->len && one_in(3))
                g_string_erase(s, (gssize) at, 1);
        else if (at < s->len && one_in(2))
                s->str[at] = PICK(letters) ?: 'x';
        else
                g_string_insert_c(s, (gssize) at, 'x');
        if (!sd_bus_object_path_is_valid(s->str))
                g_string_assign(s, "/x");
        return g_string_free(s, FALSE);
}

static const char *existing_path(World *w, const char *part) {
        g_autoptr(GPtrArray) fitting = g_ptr_array_new();

        for (char **p = w->paths; *p; p++)
                if (strstr(*p, part) && (g_str_equal(part, "/endpoint/") || !strstr(*p, "/endpoint/")))
                        g_ptr_array_add(fitting, *p);
        return fitting->len > 0 ? g_ptr_array_index(fitting, below((gint32) fitting->len)) : ROOT_PATH;
}

/* Mostly of an object of the kind that the argument wants. */
static char *random_path(World *w, const char *part) {
        static const char *const parts[] = { "/node/", "/endpoint/", "/tcp/", "/ip/", "/portal_group/" };
        static const char *const prefixes[] = { ROOT_PATH "/node", ROOT_PATH "/tcp", ROOT_PATH "/ip" };
        static const char *const odd[] = { "/",
                                           ROOT_PATH,
                                           ROOT_PATH "/node",
                                           ROOT_PATH "/tcp/_",
                                           "/org",
                                           ROOT_PATH "/node/_00",
                                           ROOT_PATH "/tcp/_ff_fe",
                                           ROOT_PATH "/portal_group/18446744073709551616" };

        switch (below(12)) {
        case 0:
                return g_strdup(PICK(odd));
        case 1:
                return damage_path(existing_path(w, part));
        case 2: {
                g_autofree char *text = random_text(), *path = NULL;

                g_assert_cmpint(sd_bus_path_encode(PICK(prefixes), text, &path), >=, 0);
                return g_strdup(path);
        }
        case 3:
                return g_strdup(existing_path(w, PICK(parts)));
        default:
                return g_strdup(existing_path(w, part));
        }
}

static void append_path(World *w, sd_bus_message *m, const char *part) {
        g_autofree char *path = random_path(w, part);

        g_assert_cmpint(sd_bus_message_append_basic(m, 'o', path), >=, 0);
}

static void append_text(sd_bus_message *m) {
        g_autofree char *text = one_in(3) ? g_strdup("") : one_in(2) ? random_text() : g_strdup_printf("alias %d", below(30));

        g_assert_cmpint(sd_bus_message_append_basic(m, 's', text), >=, 0);
}

static void append_identifier(sd_bus_message *m) {
        g_autofree char *text = NULL;

        switch (below(5)) {
        case 0:
                text = g_strdup_printf("%012X", below(16));
                break;
        case 1:
                text = g_strdup_printf("%06x%06x", (unsigned) below(0x1000000), (unsigned) below(0x1000000));
                break;
        case 2:
                text = random_text();
                break;
        default:
                text = g_strdup("");
        }
        g_assert_cmpint(sd_bus_message_append_basic(m, 's', text), >=, 0);
}

static void append_option(sd_bus_message *m) {
        static const uint16_t roles[][3] = { { 3 }, { 2, 3 }, { 3, 2 }, { 2 }, { 3, 3 }, { 0, 3, 65535 } };
        static const unsigned n_roles[] = { 1, 2, 2, 1, 2, 3 };
        g_autofree char *name = random_node_name(), *key = NULL;
        gint32 i = below(G_N_ELEMENTS(roles));
        int r;

        switch (below(12)) {
        case 0:
                key = random_text();
                r = sd_bus_message_append(m, "{sv}", key, "s", name);
                break;
        case 1:
                r = sd_bus_message_append(m, "{sv}", one_in(2) ? "Name" : "Roles", "(ba{su})", 1, 1, name, 7);
                break;
        case 2:
        case 3:
        case 4:
                g_assert_cmpint(sd_bus_message_open_container(m, 'e', "sv"), >=, 0);
                g_assert_cmpint(sd_bus_message_append(m, "s", "Roles"), >=, 0);
                g_assert_cmpint(sd_bus_message_open_container(m, 'v', "aq"), >=, 0);
                g_assert_cmpint(sd_bus_message_append_array(m, 'q', roles[i], n_roles[i] * sizeof(uint16_t)), >=, 0);
                g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
                r = sd_bus_message_close_container(m);
                break;
        default:
                r = sd_bus_message_append(m, "{sv}", "Name", "s", name);
        }
        g_assert_cmpint(r, >=, 0);
}

static void append_options(sd_bus_message *m, int max) {
        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "{sv}"), >=, 0);
        for (int n = below(max + 1); n > 0; n--)
                append_option(m);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
}

static void append_portals(World *w, sd_bus_message *m, const char *part) {
        int n = one_in(30) ? 70 : one_in(20) ? 0 : 1 + below(3);

        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "o"), >=, 0);
        while (n-- > 0)
                append_path(w, m, part);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
}

static uint16_t random_number(uint16_t first, uint16_t n) {
        return (uint16_t) (one_in(10) ? below(65536) : first + below(n));
}

static sd_bus_message *random_call(World *w, Method method) {
        sd_bus_message *m = new_call(w->bus, method_name(method));
        uint16_t role;

        switch (method) {
        case METHOD_CREATE_ISCSI_PROTOCOL_ENDPOINT:
                role = random_number(2, 2);
                append_path(w, m, "/node/");
                g_assert_cmpint(sd_bus_message_append(m, "q", role), >=, 0);
                append_identifier(m);
                append_portals(w, m, role == 2 ? "/ip/" : "/tcp/");
                break;
        case METHOD_DELETE_ISCSI_PROTOCOL_ENDPOINT:
                append_path(w, m, "/endpoint/");
                break;
        case METHOD_BIND_ISCSI_PROTOCOL_ENDPOINT:
        case METHOD_UNBIND_ISCSI_PROTOCOL_ENDPOINT:
                append_path(w, m, "/endpoint/");
                append_path(w, m, one_in(4) ? "/ip/" : "/tcp/");
                break;
        case METHOD_CREATE_ISCSI_NODE:
                append_text(m);
                append_options(m, 3);
                break;
        case METHOD_DELETE_ISCSI_NODE:
                append_path(w, m, "/node/");
                break;
        case METHOD_CREATE_TCP_PROTOCOL_ENDPOINT:
                append_path(w, m, "/ip/");
                g_assert_cmpint(sd_bus_message_append(m, "q", random_number(3260, 8)), >=, 0);
                append_path(w, m, one_in(2) ? "/portal_group/default" : "/portal_group/");
                append_options(m, one_in(20));
                break;
        case METHOD_DELETE_TCP_PROTOCOL_ENDPOINT:
                append_path(w, m, "/tcp/");
                break;
        case METHOD_CREATE_PORTAL_GROUP:
                append_text(m);
                append_options(m, one_in(20));
                break;
        case METHOD_DELETE_PORTAL_GROUP:
                append_path(w, m, "/portal_group/");
                break;
        case METHOD_ADD_TO_PORTAL_GROUP:
        case METHOD_REMOVE_FROM_PORTAL_GROUP:
                append_path(w, m, "/portal_group/");
                append_path(w, m, "/tcp/");
                break;
        case _METHOD_MAX:
                g_assert_not_reached();
        }
        return m;
}

/* An error of the method's own table or of those that all may answer, with the number that belongs to it. */
static void assert_documented(Method method, const sd_bus_error *e) {
        Refusal r = refusal_from_error_name(e->name);
        g_autofree char *end = g_strdup_printf(" (%u)", method_code(method, r));

        if (r == REFUSAL_NONE || r == REFUSAL_UNSPECIFIED || method_code(method, r) == refusal_common_code(REFUSAL_UNSPECIFIED) ||
            !g_str_has_suffix(e->message, end))
                g_error("%s answers %s: %s", method_name(method), e->name, e->message);
}

static void call_at_random(World *w) {
        static const Method fruitful[] = { METHOD_CREATE_ISCSI_PROTOCOL_ENDPOINT, METHOD_CREATE_TCP_PROTOCOL_ENDPOINT,
                                           METHOD_BIND_ISCSI_PROTOCOL_ENDPOINT };
        Method method = (Method) below(_METHOD_MAX);
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *m;

        /* There are to be objects to call for, and some that are bound to each other. */
        if (one_in(2))
                method = PICK(fruitful);
        else if (method == METHOD_DELETE_ISCSI_NODE && one_in(2))
                method = METHOD_CREATE_ISCSI_NODE;

        m = random_call(w, method);
        if (sd_bus_call(w->bus, m, 0, &e, NULL) < 0) {
                assert_documented(method, &e);
                w->n_refused++;
        } else
                w->n_done++;
        sd_bus_error_free(&e);
        sd_bus_message_unref(m);
}

static void test_random(void) {
        World w = { .service = service_new("--target-backend=model", "--initiator-backend=model", NULL) };
        g_autofree char *before = NULL, *after = NULL, *log = NULL;
        Mirror *mirror;

        service_start(w.service);
        w.bus = connect_as("root");
        mirror = mirror_new(w.bus);
        for (unsigned i = 0; i < N_CALLS; i++) {
                if (i % N_CALLS_BETWEEN_LOOKS == 0) {
                        g_strfreev(w.paths);
                        w.paths = list_objects(w.bus);
                }
                call_at_random(&w);
                g_free(mirror_take(mirror));
        }
        g_test_message("%u done, %u refused, %u objects", w.n_done, w.n_refused, g_strv_length(w.paths));

        /* Neither all right nor all wrong, or it would try little. */
        g_assert_cmpuint(w.n_done, >, N_CALLS / 10);
        g_assert_cmpuint(w.n_refused, >, N_CALLS / 10);

        before = managed_objects_text(w.bus);
        mirror_free(mirror);
        service_stop(w.service);
        service_start(w.service);
        after = managed_objects_text(w.bus);
        g_assert_cmpstr(before, ==, after);

        log = service_read_log(w.service);
        g_assert_null(strstr(log, "UnspecifiedError"));
        g_assert_null(strstr(log, "Failed to"));

        g_strfreev(w.paths);
        sd_bus_flush_close_unref(w.bus);
        service_free(w.service);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/random-calls/model", test_random);
        return g_test_run();
}
