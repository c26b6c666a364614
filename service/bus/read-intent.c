/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/read-intent.h"

#include <errno.h>
#include <string.h>

#include "common/text.h"
#include "rules/refuse.h"

static int read_argument(Intent *i, Argument *a, sd_bus_message *m, char **ret_why);

/* "Argument Alias", "Option Name": how a message names it. */
static const char *kind_of(const Argument *a) {
        return a->given ? "Option" : "Argument";
}

/* What is longer can be nothing that the service knows. It is refused as it is read: polkit gets texts of it, in a message that
 * must not be one that the bus refuses to carry. */
static int read_text(Intent *i, const Argument *a, sd_bus_message *m, char type, const char **ret, char **ret_why) {
        const char *text;
        int r;

        r = sd_bus_message_read_basic(m, type, &text);
        if (r <= 0)
                return r;
        if (strlen(text) > ARGUMENT_LENGTH_MAX)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "%s %s has %zu bytes; nothing that is longer than %u is valid",
                              kind_of(a), a->spec->name, strlen(text), ARGUMENT_LENGTH_MAX);

        *ret = intent_strdup(i, text);
        return *ret ? 0 : -ENOMEM;
}

static size_t max_of(const Argument *a) {
        return a->spec->max ? a->spec->max : ARRAY_LENGTH_MAX;
}

/* Reads an array of CONTENTS, entry by entry. READ_ENTRY fills in number a->n. */
static int read_array(Intent *i, Argument *a, sd_bus_message *m, const char *contents,
                      int (*read_entry)(Intent *i, Argument *a, sd_bus_message *m, char **ret_why), char **ret_why) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', contents);
        if (r < 0)
                return r;
        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                if (a->n >= max_of(a))
                        return refuse(REFUSAL_LIMIT_REACHED, ret_why,
                                      "%s %s has more than %zu entries, which is the most that it may have", kind_of(a),
                                      a->spec->name, max_of(a));
                r = read_entry(i, a, m, ret_why);
                if (r != 0)
                        return r;
                a->n++;
        }
        if (r < 0)
                return r;

        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 0;
}

static int read_array_text(Intent *i, Argument *a, sd_bus_message *m, char **ret_why) {
        return read_text(i, a, m, a->spec->type[1], a->texts + a->n, ret_why);
}

static int read_texts(Intent *i, Argument *a, sd_bus_message *m, char **ret_why) {
        const char type[] = { a->spec->type[1], '\0' };

        a->texts = intent_alloc(i, max_of(a) * sizeof(char *));
        return a->texts ? read_array(i, a, m, type, read_array_text, ret_why) : -ENOMEM;
}

static int read_numbers(Intent *i, Argument *a, sd_bus_message *m, char **ret_why) {
        const void *numbers;
        uint16_t *copy;
        size_t size;
        int r;

        r = sd_bus_message_read_array(m, 'q', &numbers, &size);
        if (r < 0)
                return r;
        a->n = size / sizeof(uint16_t);
        if (a->n > max_of(a))
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "%s %s has %zu entries, and there are only %zu values",
                              kind_of(a), a->spec->name, a->n, max_of(a));

        copy = intent_alloc(i, size + 1);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, numbers, size);
        a->numbers = copy;
        return 0;
}

static int read_number(Argument *a, sd_bus_message *m) {
        uint16_t q;
        int b, r;

        if (a->spec->type[0] == 'q') {
                r = sd_bus_message_read_basic(m, 'q', &q);
                a->number = q;
        } else {
                r = sd_bus_message_read_basic(m, 'b', &b);
                a->number = b != 0;
        }
        return r < 0 ? r : 0;
}

static int refuse_option(const Intent *i, const Argument *options, const char *key, char **ret_why) {
        char keys[256] = "no options";
        size_t n = 0;

        for (const ArgumentSpec *s = options->spec->members; s->name && n < sizeof(keys); s++)
                n += (size_t) snprintf(keys + n, sizeof(keys) - n, "%s%s", n ? s[1].name ? ", " : " and " : "", s->name);

        return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "Option \"%.*s\" is not defined for %s, which takes %s",
                      text_excerpt(key, 64), key, i->method->name, keys);
}

static int read_option(Intent *i, Argument *options, sd_bus_message *m, char **ret_why) {
        const char *key, *contents;
        Argument *a;
        int r;

        r = sd_bus_message_read_basic(m, 's', &key);
        if (r < 0)
                return r;
        for (a = options->members; a->spec; a++)
                if (strcmp(a->spec->name, key) == 0)
                        break;
        if (!a->spec)
                return refuse_option(i, options, key, ret_why);
        if (a->given)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "Option %s is given twice", key);
        a->given = true;

        r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r < 0)
                return r;
        if (strcmp(contents, a->spec->type) != 0)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "Option %s has the type %.32s, it must be %s", key, contents,
                              a->spec->type);

        r = sd_bus_message_enter_container(m, 'v', contents);
        if (r < 0)
                return r;
        r = read_argument(i, a, m, ret_why);
        if (r != 0)
                return r;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 0;
}

static int members_new(Intent *i, Argument *a, size_t n_items) {
        size_t n = argument_specs_count(a->spec->members);

        a->members = intent_alloc(i, (n * n_items + 1) * sizeof(Argument));
        if (!a->members)
                return -ENOMEM;
        for (size_t k = 0; k < n * n_items; k++)
                a->members[k].spec = a->spec->members + k % n;
        return 0;
}

static int read_options(Intent *i, Argument *a, sd_bus_message *m, char **ret_why) {
        int r;

        r = members_new(i, a, 1);
        if (r < 0)
                return r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_option(i, a, m, ret_why);
                if (r != 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;

        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 0;
}

static int read_item(Intent *i, Argument *a, sd_bus_message *m, char **ret_why) {
        size_t n = argument_specs_count(a->spec->members);
        int r;

        r = sd_bus_message_enter_container(m, 'r', NULL);
        for (size_t f = 0; f < n && r >= 0; f++) {
                r = read_argument(i, a->members + a->n * n + f, m, ret_why);
                if (r != 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 0;
}

static int read_items(Intent *i, Argument *a, sd_bus_message *m, char **ret_why) {
        int r;

        r = members_new(i, a, max_of(a));
        return r < 0 ? r : read_array(i, a, m, a->spec->type + 1, read_item, ret_why);
}

static int read_argument(Intent *i, Argument *a, sd_bus_message *m, char **ret_why) {
        const char *type = a->spec->type;

        switch (type[0]) {
        case 's':
        case 'o':
                return read_text(i, a, m, type[0], &a->text, ret_why);
        case 'q':
        case 'b':
                return read_number(a, m);
        case 'a':
                return type[1] == '{'   ? read_options(i, a, m, ret_why)
                       : type[1] == '(' ? read_items(i, a, m, ret_why)
                       : type[1] == 'q' ? read_numbers(i, a, m, ret_why)
                                        : read_texts(i, a, m, ret_why);
        }

        return -EINVAL;
}

static int read_all(Intent *i, sd_bus_message *m, char **ret_why) {
        for (Argument *a = i->arguments; a->spec; a++) {
                int r = read_argument(i, a, m, ret_why);

                if (r != 0)
                        return r;
        }

        return 0;
}

static int finish(int r, Intent **intent, Intent **ret, char **ret_why) {
        /* The bus carries some that sd-bus does not read: texts with Unicode's noncharacters, paths of more than 64 KiB. */
        if (r == -EBADMSG)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                              "An argument is too long, or has characters that stand for nothing, such as U+FFFE");
        if (r == 0)
                *ret = TAKE_PTR(*intent);
        return r;
}

int intent_read(sd_bus_message *m, const Method *method, Intent **ret, char **ret_why) {
        _cleanup_(intent_freep) Intent *i = intent_new(method);

        return i ? finish(read_all(i, m, ret_why), &i, ret, ret_why) : -ENOMEM;
}

/* The arguments' types in a row, "(…)" around them if STRUCTURE. */
static char *signature_of(const Method *method, bool structure) {
        size_t n = 3;
        char *text, *p;

        for (const ArgumentSpec *s = method->in; s->name; s++)
                n += strlen(s->type);
        text = p = malloc(n);
        if (!text)
                return NULL;

        if (structure)
                *p++ = '(';
        for (const ArgumentSpec *s = method->in; s->name; s++)
                p = stpcpy(p, s->type);
        if (structure)
                *p++ = ')';
        *p = '\0';
        return text;
}

int intent_read_variant(sd_bus_message *m, const Method *method, Intent **ret, char **ret_why) {
        _cleanup_free_ char *structure = signature_of(method, true), *fields = signature_of(method, false);
        _cleanup_(intent_freep) Intent *i = intent_new(method);
        const char *contents;
        int r;

        if (!structure || !fields || !i)
                return -ENOMEM;
        r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r < 0)
                return finish(r, &i, ret, ret_why);
        if (strcmp(contents, structure) != 0)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                              "Arguments holds %.64s; it must hold a structure of the arguments of %s, which is %s", contents,
                              method->name, structure);

        r = sd_bus_message_enter_container(m, 'v', structure);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'r', fields);
        return finish(r < 0 ? r : read_all(i, m, ret_why), &i, ret, ret_why);
}
