/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scripted-authority.h"

#include <string.h>

#include "concurrent.h"

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

static void asked_free(gpointer p) {
        Asked *q = p;

        sd_bus_message_unref(q->message);
        g_free(q->details);
        g_free(q);
}

static Asked *asked_read(sd_bus_message *m) {
        g_autoptr(GString) details = g_string_new(NULL);
        Asked *q = g_new0(Asked, 1);
        const char *key, *name, *value;

        g_assert_true(sd_bus_message_has_signature(m, "(sa{sv})sa{ss}us"));
        q->message = sd_bus_message_ref(m);

        g_assert_cmpint(sd_bus_message_enter_container(m, 'r', "sa{sv}"), >, 0);
        g_assert_cmpint(sd_bus_message_read(m, "s", &q->subject_kind), >, 0);
        g_assert_cmpint(sd_bus_message_read(m, "a{sv}", 1, &key, "s", &q->subject_name), >, 0);
        g_assert_cmpstr(key, ==, "name");
        g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);

        g_assert_cmpint(sd_bus_message_read(m, "s", &q->action), >, 0);
        g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "{ss}"), >, 0);
        while (sd_bus_message_read(m, "{ss}", &name, &value) > 0)
                g_string_append_printf(details, "%s=%s\n", name, value);
        g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
        q->details = g_string_free(g_steal_pointer(&details), FALSE);
        g_assert_cmpint(sd_bus_message_read(m, "us", &q->flags, &q->cookie), >, 0);

        return q;
}

static int append_answer(sd_bus_message *reply, Answer answer) {
        switch (answer) {
        case ANSWER_YES:
                return sd_bus_message_append(reply, "(bba{ss})", true, false, 1, "polkit.result", "yes");
        case ANSWER_NO:
                return sd_bus_message_append(reply, "(bba{ss})", false, false, 0);
        case ANSWER_CHALLENGE:
                return sd_bus_message_append(reply, "(bba{ss})", false, true, 0);
        case ANSWER_YES_AND_CHALLENGE:
                return sd_bus_message_append(reply, "(bba{ss})", true, true, 0);
        case ANSWER_NOTHING:
                return 0;
        case ANSWER_NO_STRUCT:
                return sd_bus_message_append(reply, "bba{ss}", true, false, 0);
        case ANSWER_TEXT:
                return sd_bus_message_append(reply, "s", "yes");
        case ANSWER_SHORT_STRUCT:
                return sd_bus_message_append(reply, "(bb)", true, false);
        case ANSWER_LONG_STRUCT:
                return sd_bus_message_append(reply, "(bba{ss}s)", true, false, 0, "and more");
        case ANSWER_OTHER_DETAILS:
                return sd_bus_message_append(reply, "(bba{sv})", true, false, 0);
        case ANSWER_MORE_ARGUMENTS:
                return sd_bus_message_append(reply, "(bba{ss})s", true, false, 0, "and more");
        case ANSWER_ARRAY:
                return sd_bus_message_append(reply, "a(bba{ss})", 1, true, false, 0);
        default:
                g_assert_not_reached();
        }
}

void asked_answer(ScriptedAuthority *a, Asked *q, Answer answer) {
        sd_bus_message *reply = NULL;

        g_assert_false(q->answered);
        if (answer == ANSWER_ERROR)
                g_assert_cmpint(sd_bus_reply_method_errorf(q->message, "org.freedesktop.PolicyKit1.Error.Failed", "Out of order"),
                                >=, 0);
        else {
                g_assert_cmpint(sd_bus_message_new_method_return(q->message, &reply), >=, 0);
                g_assert_cmpint(append_answer(reply, answer), >=, 0);
                g_assert_cmpint(sd_bus_send(NULL, reply, NULL), >=, 0);
                sd_bus_message_unref(reply);
        }

        q->answered = true;
        if (!q->cancelled)
                a->n_open--;
}

void answer_all(ScriptedAuthority *a, Answer answer) {
        for (guint i = 0; i < a->asked->len; i++) {
                Asked *q = a->asked->pdata[i];

                if (!q->answered && !q->cancelled)
                        asked_answer(a, q, answer);
        }
}

/* Each asker has cookies of its own. */
static Asked *find_asked(ScriptedAuthority *a, sd_bus_message *m, const char *cookie) {
        for (guint i = 0; i < a->asked->len; i++) {
                Asked *q = a->asked->pdata[i];

                if (g_str_equal(q->cookie, cookie) &&
                    g_str_equal(sd_bus_message_get_sender(q->message), sd_bus_message_get_sender(m)))
                        return q;
        }

        return NULL;
}

static void cancel(ScriptedAuthority *a, sd_bus_message *m) {
        const char *cookie;
        Asked *q;

        g_assert_cmpint(sd_bus_message_read(m, "s", &cookie), >, 0);
        q = find_asked(a, m, cookie);
        g_assert_nonnull(q); /* what was never asked cannot be cancelled */
        g_assert_false(q->cancelled);
        q->cancelled = true;
        a->n_cancelled++;
        a->n_open -= !q->answered;
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        ScriptedAuthority *a = userdata;
        Asked *q;

        if (sd_bus_message_is_method_call(m, POLKIT_INTERFACE, "CancelCheckAuthorization") > 0) {
                cancel(a, m);
                return 1;
        }
        if (sd_bus_message_is_method_call(m, POLKIT_INTERFACE, "CheckAuthorization") <= 0)
                return 0;

        q = asked_read(m);
        g_assert_null(find_asked(a, m, q->cookie));
        g_ptr_array_add(a->asked, q);
        a->n_open++;
        if (a->answer != ANSWER_LATER)
                asked_answer(a, q, a->answer);
        return 1;
}

ScriptedAuthority *scripted_authority_new(Answer answer) {
        ScriptedAuthority *a = g_new0(ScriptedAuthority, 1);

        a->answer = answer;
        a->asked = g_ptr_array_new_with_free_func(asked_free);
        a->bus = caller_new("polkitd"); /* the only user whom polkit's bus policy lets own the name */
        g_assert_cmpint(sd_bus_add_object(a->bus, NULL, "/org/freedesktop/PolicyKit1/Authority", on_call, a), >=, 0);
        g_assert_cmpint(sd_bus_request_name(a->bus, POLKIT_NAME, 0), >=, 0);
        return a;
}

ScriptedAuthority *scripted_authority_free(ScriptedAuthority *a) {
        if (!a)
                return NULL;

        g_ptr_array_unref(a->asked);
        caller_leave(a->bus);
        g_free(a);
        return NULL;
}

typedef struct Wanted {
        ScriptedAuthority *authority;
        unsigned n;
} Wanted;

static bool has_asked(void *userdata) {
        Wanted *w = userdata;

        g_assert_cmpuint(w->authority->asked->len, <=, w->n);
        return w->authority->asked->len == w->n;
}

static bool has_open(void *userdata) {
        Wanted *w = userdata;

        return w->authority->n_open == w->n;
}

void wait_for_asked(ScriptedAuthority *a, unsigned n) {
        loop_until(has_asked, &(Wanted){ a, n });
}

void wait_for_open(ScriptedAuthority *a, unsigned n) {
        loop_until(has_open, &(Wanted){ a, n });
}

Asked *last_asked(ScriptedAuthority *a) {
        g_assert_cmpuint(a->asked->len, >, 0);
        return a->asked->pdata[a->asked->len - 1];
}
