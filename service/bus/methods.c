/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/methods.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/call.h"
#include "bus/manager.h"
#include "bus/sessions.h"

static const ArgumentSpec check_in[] = { { "Interface", "s" }, { "Method", "s" }, { "Arguments", "v" }, {} };
static const ArgumentSpec check_out[] = { { "Effects", "as" }, { "Warnings", "as" }, {} };
static const ArgumentSpec check_port_in[] = {
        { "iSCSINode", "o" }, { "Role", "q" }, { "Identifier", "s" }, { "NetworkPortals", "ao" }, {},
};
static const ArgumentSpec check_port_out[] = { { "Identifier", "s" }, { "Warnings", "as" }, {} };

static const ArgumentSpec sessions_in[] = { { "Object", "o" }, {} };
static const ArgumentSpec sessions_out[] = { { "Sessions", "aa{sv}" }, { "Complete", "b" }, { "Reasons", "as" }, {} };

const ReadMethod read_methods[] = {
        { "CheckCall", check_in, check_out, call_check },
        { "CheckiSCSIProtocolEndpoint", check_port_in, check_port_out, call_check_port },
        { "ListSessions", sessions_in, sessions_out, call_list_sessions },
        {},
};

/* Writes the types of SPECS in a row, and their names each with its NUL. */
static void write_specs(FILE *types, FILE *names, const ArgumentSpec *specs) {
        for (const ArgumentSpec *s = specs; s && s->name; s++) {
                (void) fputs(s->type, types);
                (void) fwrite(s->name, strlen(s->name) + 1, 1, names);
        }
}

/* One entry: "in\0out\0name\0name\0\0" in one piece of memory, which is kept in a list. */
typedef struct Text {
        struct Text *next;
        char data[];
} Text;

static Text *text_new(const ArgumentSpec *in, const ArgumentSpec *out, size_t *ret_out, size_t *ret_names) {
        _cleanup_free_ char *types = NULL, *names = NULL;
        size_t n_types, n_names;
        FILE *t, *n;
        Text *text;

        t = open_memstream(&types, &n_types);
        n = open_memstream(&names, &n_names);
        if (t && n) {
                write_specs(t, n, in);
                (void) fputc('\0', t);
                *ret_out = (size_t) ftell(t);
                write_specs(t, n, out);
                (void) fputc('\0', t);
                (void) fputc('\0', n);
        }
        if ((t && fclose(t) != 0) | (n && fclose(n) != 0) || !t || !n)
                return NULL;

        text = calloc(1, sizeof(Text) + n_types + n_names);
        if (!text)
                return NULL;
        memcpy(text->data, types, n_types);
        memcpy(text->data + n_types, names, n_names);
        *ret_names = n_types;
        return text;
}

static int add_entry(MethodTable *t, const char *name, const ArgumentSpec *in, const ArgumentSpec *out,
                     sd_bus_message_handler_t handler) {
        sd_bus_vtable *v = t->entries + t->n;
        size_t out_at = 0, names_at = 0;
        Text *text;

        text = text_new(in, out, &out_at, &names_at);
        if (!text)
                return -ENOMEM;
        text->next = t->texts;
        t->texts = text;

        /* UNPRIVILEGED only takes sd-bus' own check away: who may call is what the row's polkit action says. */
        v->type = _SD_BUS_VTABLE_METHOD;
        v->flags = SD_BUS_VTABLE_UNPRIVILEGED;
        v->x.method.member = name;
        v->x.method.signature = text->data;
        v->x.method.result = text->data + out_at;
        v->x.method.handler = handler;
        v->x.method.names = text->data + names_at;
        t->n++;
        return 0;
}

int method_table_new(sd_bus_message_handler_t handler, MethodTable *ret) {
        size_t n = ELEMENTSOF(read_methods);
        MethodTable t = {};
        int r = 0;

        for (const Method *const *m = methods; *m; m++)
                n++;
        t.entries = calloc(n, sizeof(sd_bus_vtable));
        if (!t.entries)
                return -ENOMEM;

        for (const Method *const *m = methods; *m && r >= 0; m++)
                r = (*m)->action ? add_entry(&t, (*m)->name, (*m)->in, (*m)->out, handler) : -ENOKEY;
        for (const ReadMethod *m = read_methods; m->name && r >= 0; m++)
                r = add_entry(&t, m->name, m->in, m->out, handler);
        if (r < 0) {
                method_table_done(&t);
                return r;
        }

        *ret = t;
        return 0;
}

void method_table_done(MethodTable *t) {
        for (Text *text = t->texts, *next; text; text = next) {
                next = text->next;
                free(text);
        }
        free(t->entries);
        *t = (MethodTable){};
}

int methods_dispatch(sd_bus_message *message, Manager *m, sd_bus_error *error) {
        const char *member = sd_bus_message_get_member(message);

        for (const ReadMethod *read = read_methods; read->name; read++)
                if (strcmp(read->name, member) == 0)
                        return read->handler(message, m, error);

        return call_change(message, m, error);
}
