/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Random calls with arguments of the right types: each ends well or with a documented error of its method, never with one that
 * cannot happen; the signals tell of everything; and all of it is there after a restart. The seed is in the output: --seed
 * repeats a run. */

#include <string.h>

#include "bus-view.h"
#include "calls.h"
#include "mirror.h"
#include "change/method.h"

#define N_CALLS 2000
#define N_CALLS_BETWEEN_LOOKS 40 /* at the objects that there are */

typedef struct World {
        Service *service;
        sd_bus *bus;
        char **paths;  /* as of the last look */
        uint16_t role; /* in the call that is being made; 0: it names none */
        gsize n_methods;
        GHashTable *done; /* names of the methods that succeeded */
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

static char *random_identifier(void) {
        switch (below(5)) {
        case 0:
                return g_strdup_printf("%012X", below(16));
        case 1:
                return g_strdup_printf("%06x%06x", (unsigned) below(0x1000000), (unsigned) below(0x1000000));
        case 2:
                return random_text();
        default:
                return g_strdup("");
        }
}

/* Mostly one that this host does not have. */
static char *random_address(void) {
        static const char *const odd[] = {
                "127.0.0.1", "::1", "::", "192.0.2.256", "192.0.2.1:3260", "fe80::1", "[2001:db8::1]"
        };

        if (one_in(4))
                return one_in(3) ? random_text() : g_strdup(PICK(odd));
        return g_strdup_printf(one_in(2) ? "192.0.2.%d" : "2001:db8::%d", 1 + below(8));
}

static char *random_value(void) {
        static const char *const words[] = { "report", "enforce", "", "Report" };

        return one_in(2) ? g_strdup(PICK(words)) : random_text();
}

static char *random_text_of(const ArgumentSpec *s) {
        switch (s->means) {
        case MEANS_NODE_NAME:
                return random_node_name();
        case MEANS_IDENTIFIER:
                return random_identifier();
        case MEANS_ADDRESS_TEXT:
                return random_address();
        case MEANS_VALUE:
                return random_value();
        default:
                return one_in(3) ? g_strdup("") : one_in(2) ? random_text() : g_strdup_printf("alias %d", below(30));
        }
}

static uint16_t random_number(uint16_t first, uint16_t n) {
        return (uint16_t) (one_in(10) ? below(65536) : first + below(n));
}

/* Roles and RequestedState are 2 and 3. */
static uint16_t random_number_of(World *w, const ArgumentSpec *s) {
        uint16_t number = s->means == MEANS_TCP_PORT ? random_number(3260, 8) : random_number(2, 2);

        if (s->means == MEANS_ROLE)
                w->role = number;
        return number;
}

/* Where objects are that S may name. */
static const char *part_of(World *w, const ArgumentSpec *s) {
        switch (s->means) {
        case MEANS_PORT:
                return "/endpoint/";
        case MEANS_NETWORK_PORTAL:
                return w->role == 2 || (w->role == 0 && one_in(4)) ? "/ip/" : "/tcp/";
        case MEANS_TCP_ENDPOINT:
                return "/tcp/";
        case MEANS_ADDRESS:
                return "/ip/";
        case MEANS_PORTAL_GROUP:
                return one_in(2) ? "/portal_group/default" : "/portal_group/";
        default:
                return "/node/";
        }
}

static void append_paths(World *w, sd_bus_message *m, const ArgumentSpec *s) {
        int n = one_in(30) ? 70 : one_in(20) ? 0 : 1 + below(3);

        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "o"), >=, 0);
        while (n-- > 0)
                append_path(w, m, part_of(w, s));
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
}

static void append_numbers(sd_bus_message *m) {
        static const uint16_t roles[][3] = { { 3 }, { 2, 3 }, { 3, 2 }, { 2 }, { 3, 3 }, { 0, 3, 65535 } };
        static const unsigned n_roles[] = { 1, 2, 2, 1, 2, 3 };
        gint32 i = below(G_N_ELEMENTS(roles));

        g_assert_cmpint(sd_bus_message_append_array(m, 'q', roles[i], n_roles[i] * sizeof(uint16_t)), >=, 0);
}

static void append_argument(World *w, sd_bus_message *m, const ArgumentSpec *s);

static void append_option(World *w, sd_bus_message *m, const ArgumentSpec *members) {
        gsize n = argument_specs_count(members);
        const ArgumentSpec *s = n > 0 ? members + below((gint32) n) : NULL;
        g_autofree char *key = random_text();

        if (!s || one_in(12)) {
                g_assert_cmpint(sd_bus_message_append(m, "{sv}", key, "s", key), >=, 0);
                return;
        }
        if (one_in(12)) {
                g_assert_cmpint(sd_bus_message_append(m, "{sv}", s->name, "(ba{su})", 1, 1, key, 7), >=, 0);
                return;
        }

        g_assert_cmpint(sd_bus_message_open_container(m, 'e', "sv"), >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "s", s->name), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'v', s->type), >=, 0);
        append_argument(w, m, s);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
}

static void append_options(World *w, sd_bus_message *m, const ArgumentSpec *s) {
        int n = argument_specs_count(s->members) > 0 ? below(4) : one_in(20);

        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "{sv}"), >=, 0);
        while (n-- > 0)
                append_option(w, m, s->members);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
}

static void append_items(World *w, sd_bus_message *m, const ArgumentSpec *s) {
        g_autofree char *item = g_strdup(s->type + 1), *fields = g_strndup(s->type + 2, strlen(s->type) - 3);
        int n = one_in(20) ? 0 : 1 + below(3);

        g_assert_cmpint(sd_bus_message_open_container(m, 'a', item), >=, 0);
        while (n-- > 0) {
                g_assert_cmpint(sd_bus_message_open_container(m, 'r', fields), >=, 0);
                for (const ArgumentSpec *f = s->members; f->name; f++)
                        append_argument(w, m, f);
                g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        }
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
}

static void append_argument(World *w, sd_bus_message *m, const ArgumentSpec *s) {
        g_autofree char *text = NULL;

        if (g_str_equal(s->type, "s")) {
                text = random_text_of(s);
                g_assert_cmpint(sd_bus_message_append_basic(m, 's', text), >=, 0);
        } else if (g_str_equal(s->type, "o"))
                append_path(w, m, part_of(w, s));
        else if (g_str_equal(s->type, "q"))
                g_assert_cmpint(sd_bus_message_append(m, "q", random_number_of(w, s)), >=, 0);
        else if (g_str_equal(s->type, "b"))
                g_assert_cmpint(sd_bus_message_append(m, "b", one_in(2)), >=, 0);
        else if (g_str_equal(s->type, "ao"))
                append_paths(w, m, s);
        else if (g_str_equal(s->type, "aq"))
                append_numbers(m);
        else if (g_str_equal(s->type, "a{sv}"))
                append_options(w, m, s);
        else if (g_str_has_prefix(s->type, "a("))
                append_items(w, m, s);
        else
                g_error("There is a new type of argument: %s", s->type);
}

static sd_bus_message *random_call(World *w, const Method *method) {
        sd_bus_message *m = new_call(w->bus, method->name);

        w->role = 0;
        for (const ArgumentSpec *s = method->in; s->name; s++)
                append_argument(w, m, s);
        return m;
}

/* An error of the method's own table or of those that all may answer, with the number that belongs to it. */
static void assert_documented(const Method *method, const sd_bus_error *e) {
        Refusal r = refusal_from_error_name(e->name);
        g_autofree char *end = g_strdup_printf(" (%u)", method_code(method, r));

        if (r == REFUSAL_NONE || r == REFUSAL_UNSPECIFIED || method_code(method, r) == refusal_common_code(REFUSAL_UNSPECIFIED) ||
            !g_str_has_suffix(e->message, end))
                g_error("%s answers %s: %s", method->name, e->name, e->message);
}

static void call_at_random(World *w) {
        static const char *const fruitful[] = { "CreateiSCSIProtocolEndpoint", "CreateTCPProtocolEndpoint",
                                                "BindiSCSIProtocolEndPoint" };
        const Method *method = methods[below((gint32) w->n_methods)];
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *m;

        /* There are to be objects to call for, and some that are bound to each other. */
        if (one_in(2))
                method = method_find(PICK(fruitful));
        else if (g_str_has_prefix(method->name, "DeleteiSCSINode") && !one_in(3))
                method = method_find("CreateiSCSINode");

        m = random_call(w, method);
        if (sd_bus_call(w->bus, m, 0, &e, NULL) < 0) {
                assert_documented(method, &e);
                w->n_refused++;
        } else {
                w->n_done++;
                g_hash_table_add(w->done, (gpointer) method->name);
        }
        sd_bus_error_free(&e);
        sd_bus_message_unref(m);
}

/* What was given back is in the memory of the backend alone, which a restart empties. Returns how many there were. */
static unsigned adopt_all(World *w) {
        g_auto(GStrv) paths = list_objects(w->bus);
        unsigned n = 0;

        for (char **p = paths; *p; p++) {
                g_autofree char *managed = NULL;

                if (!strstr(*p, "/node/") || strstr(*p, "/endpoint/"))
                        continue;
                managed = get_property(w->bus, *p, NODE_INTERFACE, "Managed");
                if (g_str_equal(managed, "true"))
                        continue;
                must_call(w->bus, "AdoptiSCSINode", "o", *p);
                n++;
        }
        return n;
}

static void test_random(void) {
        World w = { .service = service_new("--target-backend=model", "--initiator-backend=model", NULL) };
        g_autofree char *before = NULL, *after = NULL, *log = NULL;
        Mirror *mirror;

        while (methods[w.n_methods])
                w.n_methods++;
        w.done = g_hash_table_new(g_str_hash, g_str_equal);
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
        g_assert_cmpuint(g_hash_table_size(w.done), >, w.n_methods / 2);

        g_test_message("%u nodes were given back", adopt_all(&w));
        g_free(mirror_take(mirror));
        before = managed_objects_text(w.bus);
        mirror_free(mirror);
        service_stop(w.service);
        service_start(w.service);
        after = managed_objects_text(w.bus);
        assert_same_text(before, after, "the objects after a restart");

        log = service_read_log(w.service);
        g_assert_null(strstr(log, "UnspecifiedError"));
        g_assert_null(strstr(log, "Failed to"));

        g_hash_table_unref(w.done);
        g_strfreev(w.paths);
        sd_bus_flush_close_unref(w.bus);
        service_free(w.service);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/random-calls/model", test_random);
        return g_test_run();
}
