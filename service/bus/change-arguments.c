/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/change-arguments.h"

#include <errno.h>
#include <string.h>

#include "common/name.h"
#include "common/text.h"

void arguments_done(Arguments *a) {
        free(a->portals);
        *a = (Arguments){};
}

/* Reads a text ('s') or a path ('o'). Returns 1, 0 at the end of an array, a Refusal with its sentence, or a negative errno.
 *
 * What is longer can be nothing that the service knows: the longest are a node's path, with up to 3 bytes for each of a name's 223, and a name
 * that folding shortens, with up to 4. Asked before anybody is: a message is kept while a question is open, and polkit gets its texts, in a
 * message that must not be one that the bus refuses to carry. */
static int read_text(sd_bus_message *m, char type, const char **ret, char **ret_why) {
        int r;

        r = sd_bus_message_read_basic(m, type, ret);
        if (r > 0 && strlen(*ret) > ARGUMENT_LENGTH_MAX)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                              "A%s has %zu bytes; nothing that is longer than %u can be valid",
                              type == 'o' ? " path" : "n argument", strlen(*ret), ARGUMENT_LENGTH_MAX);

        return r;
}

static int read_path(Reference *ref, sd_bus_message *m, Model *model, char **ret_why) {
        int r;

        r = read_text(m, 'o', &ref->text, ret_why);
        if (r > 0 && !*ret_why)
                ref->object = model_find_object(model, ref->text);

        return r;
}

static int read_portals(Arguments *a, sd_bus_message *m, Model *model, char **ret_why) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "o");
        if (r < 0)
                return r;

        a->portals = calloc(LIMIT_PORTALS_PER_PORT + 1, sizeof(Reference));
        if (!a->portals)
                return -ENOMEM;
        while ((r = read_path(a->portals + a->n_portals, m, model, ret_why)) > 0 && !*ret_why)
                if (++a->n_portals > LIMIT_PORTALS_PER_PORT)
                        return refuse(REFUSAL_LIMIT_REACHED, ret_why,
                                      "There are more than %u portals in NetworkPortals, the most that a port may have",
                                      LIMIT_PORTALS_PER_PORT);
        if (r != 0)
                return r;

        return sd_bus_message_exit_container(m);
}

static bool is_option_of(const ChangeKind *kind, const char *key) {
        for (const char *const *o = kind->options; o && *o; o++)
                if (strcmp(*o, key) == 0)
                        return true;

        return false;
}

static int read_option(Arguments *a, const ChangeKind *kind, sd_bus_message *m, const char *key, char **ret_why) {
        const char *contents, *wanted;
        size_t size;
        int r;

        if (!is_option_of(kind, key))
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "Option \"%.*s\" is not defined for %s, which takes %s%s%s",
                              text_excerpt(key, 64), key, method_name(kind->method),
                              kind->options ? kind->options[0] : "no options", kind->options && kind->options[1] ? " and " : "",
                              kind->options && kind->options[1] ? kind->options[1] : "");

        wanted = strcmp(key, "Name") == 0 ? "s" : "aq";
        r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r < 0)
                return r;
        if (strcmp(contents, wanted) != 0)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "Option %s has the type %.32s, it must be %s", key, contents,
                              wanted);
        if (wanted[0] == 's' ? a->name != NULL : a->roles != NULL)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "Option %s is given twice", key);

        r = sd_bus_message_enter_container(m, 'v', wanted);
        if (r < 0)
                return r;
        if (wanted[0] == 's') {
                r = read_text(m, 's', &a->name, ret_why);
                if (r < 0 || *ret_why)
                        return r;
                return sd_bus_message_exit_container(m);
        }

        r = sd_bus_message_read_array(m, 'q', (const void **) &a->roles, &size);
        if (r < 0)
                return r;
        a->n_roles = size / sizeof(uint16_t);
        if (a->n_roles > 2)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "Option Roles has %zu entries; there are two roles",
                              a->n_roles);
        if (!a->roles) {
                static const uint16_t none[1];

                a->roles = none; /* given, and empty */
        }
        return sd_bus_message_exit_container(m);
}

static int read_options(Arguments *a, const ChangeKind *kind, sd_bus_message *m, char **ret_why) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *key;

                r = sd_bus_message_read_basic(m, 's', &key);
                if (r < 0)
                        return r;
                r = read_option(a, kind, m, key, ret_why);
                if (r < 0 || *ret_why)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(m);
}

static int read_all(Arguments *a, const ChangeKind *kind, sd_bus_message *m, Model *model, char **ret_why) {
        int r;

        r = sd_bus_message_rewind(m, true);
        if (r < 0)
                return r;

        for (const char *t = kind->in; *t; t++) {
                if (*t == 'o')
                        r = read_path(a->paths + a->n_paths++, m, model, ret_why);
                else if (*t == 's')
                        r = read_text(m, 's', &a->text, ret_why);
                else if (*t == 'q')
                        r = sd_bus_message_read_basic(m, 'q', &a->number);
                else if (strncmp(t, "ao", 2) == 0) {
                        r = read_portals(a, m, model, ret_why);
                        t += 1;
                } else {
                        r = read_options(a, kind, m, ret_why);
                        t += strlen("a{sv}") - 1;
                }
                if (r < 0 || *ret_why)
                        return r;
        }

        return 0;
}

int arguments_read(Arguments *a, const ChangeKind *kind, sd_bus_message *m, Model *model, char **ret_why) {
        int r;

        arguments_done(a);

        /* The bus carries some that sd-bus does not read: texts with Unicode's noncharacters, paths of more than 64 KiB. */
        r = read_all(a, kind, m, model, ret_why);
        if (r == -EBADMSG)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                              "An argument is too long, or has characters that stand for nothing, such as U+FFFE");

        return r;
}

char *path_decode_below(const char *path, const char *prefix) {
        size_t n = strlen(prefix);
        _cleanup_free_ char *start = NULL, *name = NULL;

        if (strncmp(path, prefix, n) != 0 || path[n] != '/')
                return NULL;

        start = strndup(path, n + 1 + strcspn(path + n + 1, "/"));
        if (!start || sd_bus_path_decode(start, prefix, &name) <= 0)
                return NULL;
        if (text_has_controls(name))
                return NULL;

        return TAKE_PTR(name);
}

char *node_name_as_stored(const char *name) {
        const char *reason;
        char *n;

        return iscsi_name_normalize(name, &n, &reason) >= 0 ? n : strdup(name);
}

int arguments_node_name(const Arguments *a, const ChangeKind *kind, char **ret) {
        *ret = NULL;

        if (kind->method == METHOD_CREATE_ISCSI_NODE)
                *ret = a->name ? node_name_as_stored(a->name) : NULL;
        else if (a->n_paths > 0)
                *ret = path_decode_below(a->paths[0].text, NODE_PATH);

        return 0;
}
