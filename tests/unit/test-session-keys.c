/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is told of a session: the rows against interfaces/, what is written of one, how large it is, and how much of that a user
 * is sent. */

#include <stdlib.h>
#include <string.h>

#include "bus/reader-account.h"
#include "common/value-size.h"
#include "exchange/json.h"
#include "model-fixture.h"
#include "objects/session.h"
#include "xml-file.h"

#define MIB ((size_t) 1024 * 1024)
#define SECOND UINT64_C(1000000)

/* "Name (type)" of each row, and of what comes from the model, one a line. */
static char *rows_text(void) {
        g_autoptr(GString) text = g_string_new("");

        for (unsigned k = 0; k < _SESSION_KEY_MAX; k++)
                g_string_append_printf(text, "%s (%c)\n", session_fields[k].name, session_fields[k].type);
        g_string_append(text, "Connections (aa{sv})\nIdentifier (s)\nPort (o)\n");
        for (unsigned k = 0; k < _CONNECTION_KEY_MAX; k++)
                g_string_append_printf(text, "%s (%c)\n", connection_fields[k].name, connection_fields[k].type);
        return g_strdup(text->str);
}

/* The documentation explains these keys, in this order, and no others. */
static void test_documentation(void) {
        g_autofree char *path = g_build_filename(g_getenv("SOURCE_ROOT"), "interfaces/org.iscsi.ConfigurationService.xml", NULL),
                        *rows = rows_text();
        g_autoptr(GRegex) regex = g_regex_new("\n +([A-Z][A-Za-z0-9]+ \\([a-z{}]+\\)): \\S", 0, 0, NULL);
        g_autoptr(GString) explained = g_string_new("");
        g_autoptr(GMatchInfo) info = NULL;
        g_autoptr(xmlDoc) doc = xml_read_file(path);
        const xmlNode *method = NULL;

        for (xmlNode *e = xml_first(xml_child(xmlDocGetRootElement(doc), "interface")); e; e = xml_next(e))
                if (xml_is(e, "method") && g_str_equal(xml_attribute(e, "name"), "ListSessions"))
                        method = e;
        g_assert_nonnull(method);

        g_regex_match(regex, xml_comment_before(method), 0, &info);
        for (; g_match_info_matches(info); g_match_info_next(info, NULL)) {
                g_autofree char *key = g_match_info_fetch(info, 1);

                g_string_append_printf(explained, "%s\n", key);
        }
        g_assert_cmpstr(explained->str, ==, rows);
}

/* All keys are known. */
static void fill(SessionInfo *s, size_t n_connections, const char *text) {
        for (unsigned k = 0; k < _SESSION_KEY_MAX; k++)
                if (session_fields[k].type == 's')
                        session_take_text(s->values + k, strdup(text));
                else
                        session_set_number(s->values + k, session_fields[k].type == 'b' ? 1 : k);

        s->connections = calloc(n_connections, sizeof(SessionConnection));
        s->n_connections = n_connections;
        for (size_t i = 0; i < n_connections; i++)
                for (unsigned k = 0; k < _CONNECTION_KEY_MAX; k++)
                        if (connection_fields[k].type == 's')
                                session_take_text(s->connections[i].values + k, strdup(text));
                        else
                                session_set_number(s->connections[i].values + k, 100 * i + k);
}

static char *session_json(const SessionInfo *s, const Port *port) {
        _cleanup_(json_writer_freep) JsonWriter *j = NULL;
        char *text;

        g_assert_cmpint(json_writer_new(JSON_COMPACT, &j), ==, 0);
        g_assert_cmpint(session_write(s, port, json_writer_value(j)), ==, 0);
        g_assert_cmpint(json_writer_finish(j, &text), ==, 0);
        return text;
}

static void test_written(void) {
        _cleanup_(session_info_done) SessionInfo s = {}, none = {};
        Recorder *r = recorder_new();
        Node *n;
        Port *p;

        add_address(r, "10.0.0.1");
        g_assert_cmpint(model_add_node(r->model, "iqn.2001-04.a", "", ROLE_BIT(ROLE_INITIATOR), true, &n), ==, 0);
        g_assert_cmpint(model_publish_node(r->model, n), ==, 0);
        p = add_port(r, n, ROLE_INITIATOR, 0x8000000000ab, "10.0.0.1");

        fill(&s, 2, "x");
        _cleanup_free_ char *all = session_json(&s, p), *few = session_json(&none, NULL);
        g_assert_cmpstr(few, ==, "{\"Connections\":[]}");
        g_assert_cmpstr(
                all, ==,
                "{\"Role\":0,\"SessionNumber\":1,\"Initiator\":\"x\",\"Target\":\"x\",\"ISID\":\"x\",\"TSIH\":5,\"Tag\":6,"
                "\"State\":\"x\",\"TimeOfLastStateChange\":8,\"InterfaceRecord\":\"x\",\"InterfaceName\":\"x\","
                "\"InitialR2T\":true,\"ImmediateData\":true,\"MaxOutstandingR2T\":13,"
                "\"MaxUnsolicitedFirstDataBurstLength\":14,\"MaxDataBurstLength\":15,\"ErrorRecoveryLevel\":16,"
                "\"Connections\":["
                "{\"ConnectionID\":0,\"State\":\"x\",\"Address\":\"x\",\"PortNumber\":3,\"PersistentAddress\":\"x\","
                "\"PersistentPortNumber\":5,\"LocalAddress\":\"x\",\"LocalPortNumber\":7,"
                "\"MaxReceiveDataSegmentLength\":8,\"MaxTransmitDataSegmentLength\":9,\"HeaderDigestMethod\":10,"
                "\"DataDigestMethod\":11},"
                "{\"ConnectionID\":100,\"State\":\"x\",\"Address\":\"x\",\"PortNumber\":103,\"PersistentAddress\":\"x\","
                "\"PersistentPortNumber\":105,\"LocalAddress\":\"x\",\"LocalPortNumber\":107,"
                "\"MaxReceiveDataSegmentLength\":108,\"MaxTransmitDataSegmentLength\":109,\"HeaderDigestMethod\":110,"
                "\"DataDigestMethod\":111}],"
                "\"Identifier\":\"8000000000AB\",\"Port\":\"/node/iqn.2001-04.a/8000000000AB\"}");
        recorder_free(r);
}

/* Where a message ends that has these values, by the rules of the D-Bus specification. */
typedef struct Marshaller {
        ValueWriter writer;
        size_t end;
} Marshaller;

static void align(ValueWriter *w, size_t to) {
        size_t *end = &((Marshaller *) w)->end;

        *end = (*end + to - 1) / to * to;
}

static size_t alignment_of(char type) {
        switch (type) {
        case 'y':
        case 'v':
                return 1;
        case 'q':
                return 2;
        case 't':
        case 'r':
        case 'e':
        case '(':
        case '{':
                return 8;
        default:
                return 4;
        }
}

static int marshal_basic(ValueWriter *w, char type, const void *value) {
        align(w, alignment_of(type));
        ((Marshaller *) w)->end += type == 's' || type == 'o' ? 4 + strlen(value) + 1 : alignment_of(type);
        return 0;
}

static int marshal_open(ValueWriter *w, char type, const char *contents) {
        align(w, alignment_of(type));
        if (type == 'a') {
                ((Marshaller *) w)->end += 4;
                align(w, alignment_of(contents[0]));
        } else if (type == 'v')
                ((Marshaller *) w)->end += 1 + strlen(contents) + 1;
        return 0;
}

static int marshal_close(ValueWriter *w) {
        return 0;
}

static void assert_size(const SessionInfo *s, size_t from) {
        static const ValueSink sink = { marshal_basic, marshal_open, marshal_close };
        Marshaller real = { { &sink }, from };
        SizeWriter size = size_writer();

        g_assert_cmpint(session_write(s, NULL, &real.writer), ==, 0);
        g_assert_cmpint(session_write(s, NULL, &size.writer), ==, 0);
        g_assert_cmpuint(size.bytes, >=, real.end - from);
        g_assert_cmpuint(size.bytes, <=, 2 * (real.end - from) + 100);
}

/* What is counted is not less than what is sent, and not much more. */
static void test_size(void) {
        for (size_t n = 0; n < 24; n++)
                for (size_t from = 0; from < 8; from++) {
                        g_autofree char *text = g_strnfill(n, 'x');
                        _cleanup_(session_info_done) SessionInfo s = {};

                        fill(&s, n % 4, text);
                        assert_size(&s, from);
                }
}

static void assert_wait(ReaderAccounts *a, uid_t uid, size_t bytes, uint64_t now, unsigned expected) {
        unsigned seconds = 0;
        bool enough = reader_account_take(a, uid, bytes, now, &seconds);

        g_assert_cmpint(enough, ==, expected == 0);
        g_assert_cmpuint(enough ? 0 : seconds, ==, expected);
}

static void test_account(void) {
        ReaderAccounts *a = g_new0(ReaderAccounts, 1);
        uint64_t now = 1000 * SECOND;

        /* 16 MiB at once, and then 1 MiB a second. */
        for (unsigned i = 0; i < 4; i++)
                assert_wait(a, 1, 4 * MIB, now, 0);
        assert_wait(a, 1, 1, now, 1);
        assert_wait(a, 1, 4 * MIB, now, 4);
        assert_wait(a, 2, 16 * MIB, now, 0); /* another user has an account of his own */
        assert_wait(a, 1, MIB, now + SECOND - 1, 1);
        assert_wait(a, 1, MIB, now + SECOND, 0);
        assert_wait(a, 1, MIB, now + SECOND, 1);
        assert_wait(a, 1, 4 * MIB, now + 5 * SECOND, 0);

        /* More than there is room for goes when all is there. */
        now += 100 * SECOND;
        assert_wait(a, 1, 100 * MIB, now, 0);
        assert_wait(a, 1, 100 * MIB, now, 16);
        assert_wait(a, 1, 100 * MIB, now + 16 * SECOND, 0);

        /* A clock that ran for years. */
        now += UINT64_C(100000000) * SECOND;
        assert_wait(a, 1, 16 * MIB, now, 0);
        assert_wait(a, 1, MIB, now, 1);

        /* As many users as there is room for; the next one gets the place of who misses least. */
        for (uid_t uid = 2; uid <= READERS_MAX; uid++)
                assert_wait(a, uid, MIB, now, 0);
        assert_wait(a, 1000, 1, now, 0);
        assert_wait(a, 1, MIB, now, 1); /* it was not forgotten for that */
        g_free(a);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/session-keys/documentation", test_documentation);
        g_test_add_func("/session-keys/written", test_written);
        g_test_add_func("/session-keys/size", test_size);
        g_test_add_func("/session-keys/account", test_account);
        return g_test_run();
}
