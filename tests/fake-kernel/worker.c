/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "worker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/macro.h"
#include "kernel.h"

typedef enum StepKind {
        STEP_MADE_NODE,
        STEP_REMOVED_NODE,
        STEP_MADE_PORT,
        STEP_REMOVED_PORT, /* its contents are at PLACE */
        STEP_MADE_PORTAL,
        STEP_REMOVED_PORTAL,
        STEP_ENABLED,
        STEP_DISABLED,
} StepKind;

typedef struct Step {
        StepKind kind;
        char *port, *portal, *place;
} Step;

static void step_free(void *data) {
        Step *s = data;

        if (s->place)
                kernel_remove_tree(s->place);
        g_free(s->port);
        g_free(s->portal);
        g_free(s->place);
        g_free(s);
}

void work_init(Work *w, const char *root, const char *node) {
        *w = (Work){ .root = root, .node = node, .steps = g_ptr_array_new_with_free_func(step_free), .lost = g_string_new(NULL) };
}

void work_done(Work *w) {
        g_ptr_array_unref(w->steps);
        g_string_free(w->lost, TRUE);
        g_free(w->why);
}

static bool _printf_(3, 4) refuse(Work *w, Refusal refusal, const char *format, ...) {
        va_list ap;

        g_free(w->why);
        va_start(ap, format);
        w->why = g_strdup_vprintf(format, ap);
        va_end(ap);
        w->refusal = refusal;

        return false;
}

static Step *add_step(Work *w, StepKind kind, const char *port, const char *portal) {
        Step *s = g_new0(Step, 1);

        s->kind = kind;
        s->port = g_strdup(port);
        s->portal = g_strdup(portal);
        g_ptr_array_add(w->steps, s);
        return s;
}

/* For R of the kernel's functions; what is there already was no step. */
static bool did(Work *w, int r, StepKind kind, const char *port, const char *portal) {
        if (r == -EEXIST)
                return true;
        if (r < 0)
                return refuse(w, REFUSAL_FAILED, "The kernel refused %s%s%s of node %s: %s", port ? port : "the node",
                              portal ? " " : "", portal ? portal : "", w->node, g_strerror(-r));

        (void) add_step(w, kind, port, portal);
        return true;
}

/* Ports */

static char **ports_of_node(const Work *w) {
        g_autofree char *path = kernel_path(w->root, w->node, NULL);

        return kernel_list(path);
}

static char **portals_of_port(const Work *w, const char *port) {
        g_autofree char *path = kernel_path(w->root, w->node, port, "np", NULL);

        return kernel_list(path);
}

/* The directory with this tag: NULL if there is none. Several are refused. */
static bool find_port(Work *w, uint16_t tag, char **ret) {
        g_auto(GStrv) ports = ports_of_node(w);
        g_autofree char *found = NULL;

        for (char **port = ports; *port; port++) {
                uint16_t t;

                if (kernel_parse_tag(*port, &t) < 0 || t != tag)
                        continue;
                if (found)
                        return refuse(w, REFUSAL_FAILED, "Node %s has two target portal groups with tag %u (%s and %s)", w->node,
                                      tag, found, *port);
                found = g_strdup(*port);
        }

        *ret = g_steal_pointer(&found);
        return true;
}

static bool find_existing_port(Work *w, uint16_t tag, char **ret) {
        if (!find_port(w, tag, ret))
                return false;
        return *ret || refuse(w, REFUSAL_ENDPOINT_NON_EXISTENT, "Node %s has no target portal group with tag %u", w->node, tag);
}

/* Of portals that are bound one after the other wildcards come first, as in bring_up_portals(). */
size_t *work_order(const GArray *operations) {
        const Operation *o = (const Operation *) operations->data;
        size_t *order = g_new(size_t, operations->len + 1);

        for (size_t i = 0; i < operations->len; i++) {
                size_t k = i;

                for (; k > 0 && o[i].verb == VERB_BIND_PORTAL && o[order[k - 1]].verb == VERB_BIND_PORTAL &&
                       ip_address_is_wildcard(&o[i].portals[0].address) &&
                       !ip_address_is_wildcard(&o[order[k - 1]].portals[0].address);
                     k--)
                        order[k] = order[k - 1];
                order[k] = i;
        }

        return order;
}

char *work_find_unexpected(const Work *w, const uint64_t *expected, size_t n) {
        g_auto(GStrv) ports = ports_of_node(w);

        for (char **port = ports; *port; port++) {
                uint16_t tag = 0;
                size_t i;

                if (kernel_parse_tag(*port, &tag) >= 0)
                        for (i = 0; i < n && expected[i] != tag; i++)
                                ;
                else
                        i = n;
                if (i == n)
                        return g_strdup(*port);
        }

        return NULL;
}

/* Portals */

/* The entry of a port that is this portal: under the name that we write, or under another that means the same. */
static char *find_portal(const Work *w, const char *port, const Portal *portal) {
        g_auto(GStrv) entries = portals_of_port(w, port);
        char text[PORTAL_TEXT_MAX];
        Endpoint wanted, e;

        (void) portal_to_text(portal, text);
        if (g_strv_contains((const char *const *) entries, text))
                return g_strdup(text);
        if (kernel_parse_portal(w->root, text, &wanted) < 0)
                return NULL;
        for (char **entry = entries; *entry; entry++)
                if (kernel_parse_portal(w->root, *entry, &e) >= 0 && endpoint_equal(&wanted, &e))
                        return g_strdup(*entry);

        return NULL;
}

/* Within the node: another port has it, or the kernel would take it for a portal of any port. EXCEPT: an entry of PORT that goes
 * first. */
static bool check_portal_in_node(Work *w, const char *port, const Portal *portal, const char *text, const Endpoint *wanted) {
        g_auto(GStrv) ports = ports_of_node(w);

        for (char **other = ports; *other; other++) {
                g_auto(GStrv) entries = portals_of_port(w, *other);
                g_autofree char *same = g_strcmp0(*other, port) == 0 ? NULL : find_portal(w, *other, portal);

                if (same)
                        return refuse(w, REFUSAL_TCP_IN_USE, "Portal %s belongs to %s of node %s", text, *other, w->node);
                for (char **entry = entries; *entry; entry++) {
                        Endpoint e;

                        if (kernel_portal_socket(w->root, w->node, *other, *entry, &e) && endpoint_is_taken_for(wanted, &e))
                                return refuse(w, REFUSAL_PORTAL_SHADOWED, "The kernel would take portal %s for portal %s of %s",
                                              text, *entry, *other);
                }
        }

        return true;
}

static bool check_portal_against_sockets(Work *w, const char *text, const Endpoint *wanted) {
        g_autoptr(GArray) sockets = sockets_read(w->root), listeners = listeners_read(w->root);
        const Socket *s = (const Socket *) sockets->data;

        for (guint i = 0; i < sockets->len; i++)
                if (endpoint_equal(wanted, &s[i].endpoint))
                        return true;
        for (guint i = 0; i < sockets->len; i++)
                if (endpoint_is_taken_for(wanted, &s[i].endpoint))
                        return refuse(w, REFUSAL_PORTAL_SHADOWED, "The kernel would take portal %s for another node's", text);
        for (guint i = 0; i < sockets->len; i++)
                if (endpoint_excludes(wanted, &s[i].endpoint))
                        return refuse(w, REFUSAL_ADDRESS_OVERLAP, "Portal %s and another node's exclude each other", text);
        for (guint i = 0; i < listeners->len; i++)
                if (endpoint_excludes(wanted, &g_array_index(listeners, Endpoint, i)))
                        return refuse(w, REFUSAL_ADDRESS_IN_USE, "Portal %s cannot listen: another program does", text);

        return true;
}

static bool check_portal(Work *w, const char *port, const Portal *portal) {
        char text[PORTAL_TEXT_MAX];
        Endpoint wanted;

        (void) portal_to_text(portal, text);
        if (portal->port < 1024 && portal->port != ISCSI_PORT_SYSTEM)
                return refuse(w, REFUSAL_INVALID_PARAMETER, "TCP port %u is not offered", portal->port);
        if (portal->address.zone[0] && kernel_interface(w->root, portal->address.zone) == 0)
                return refuse(w, REFUSAL_SCOPE_MISSING, "Portal %s cannot listen: there is no interface %s", text,
                              portal->address.zone);
        if (kernel_parse_portal(w->root, text, &wanted) < 0)
                return refuse(w, REFUSAL_FAILED, "The kernel does not understand portal %s", text);

        return check_portal_in_node(w, port, portal, text, &wanted) && check_portal_against_sockets(w, text, &wanted);
}

static bool remove_portal(Work *w, const char *port, const char *entry) {
        return did(w, kernel_rmdir_portal(w->root, w->node, port, entry), STEP_REMOVED_PORTAL, port, entry);
}

static bool make_portal(Work *w, const char *port, const Portal *portal) {
        char text[PORTAL_TEXT_MAX];

        if (!check_portal(w, port, portal) ||
            !did(w, kernel_mkdir_portal(w->root, w->node, port, portal_to_text(portal, text)), STEP_MADE_PORTAL, port, text))
                return false;

        /* The kernel may have accepted it and bound nothing. */
        return kernel_portal_listens(w->root, w->node, port, text) ||
               refuse(w, REFUSAL_PORTAL_SHADOWED, "The kernel accepted portal %s, but nothing listens on it", text);
}

/* Makes the portal, or makes it again if it is there and does not listen. */
static bool bring_up_portal(Work *w, const char *port, const Portal *portal) {
        g_autofree char *entry = find_portal(w, port, portal);

        char text[PORTAL_TEXT_MAX];

        if (entry && kernel_portal_listens(w->root, w->node, port, entry))
                return true;
        if (entry && !g_str_equal(entry, portal_to_text(portal, text)))
                return refuse(w, REFUSAL_PORTAL_SHADOWED, "Portal %s is in %s as %s, but nothing listens on it", text, port,
                              entry);
        if (entry && !remove_portal(w, port, entry))
                return false;

        return make_portal(w, port, portal);
}

/* Wildcards first: after an address of the other family the kernel would take them for that. */
static bool bring_up_portals(Work *w, const char *port, const Operation *o) {
        for (unsigned specific = 0; specific < 2; specific++)
                for (size_t i = 0; i < o->n_portals; i++)
                        if (ip_address_is_wildcard(&o->portals[i].address) == !specific &&
                            !bring_up_portal(w, port, o->portals + i))
                                return false;

        return true;
}

static bool remove_portals(Work *w, const char *port) {
        g_auto(GStrv) entries = portals_of_port(w, port);

        for (char **entry = entries; *entry; entry++)
                if (!remove_portal(w, port, *entry))
                        return false;

        return true;
}

/* Nodes and ports */

/* The kernel takes names that differ only in case for different ones; iSCSI does not. */
static bool check_name(Work *w) {
        g_autofree char *fabric = kernel_path(w->root, NULL);
        g_auto(GStrv) nodes = kernel_list(fabric);

        for (char **node = nodes; *node; node++)
                if (!g_str_equal(*node, w->node) && g_ascii_strcasecmp(*node, w->node) == 0)
                        return refuse(w, REFUSAL_NAME_IN_USE, "Node %s exists, which is the same iSCSI name", *node);

        return true;
}

static bool make_node(Work *w) {
        if (!check_name(w))
                return false;

        return did(w, kernel_mkdir_node(w->root, w->node), STEP_MADE_NODE, NULL, NULL);
}

static bool switch_port(Work *w, const char *port, bool enabled) {
        if (kernel_is_enabled(w->root, w->node, port) == enabled)
                return true;

        return did(w, kernel_enable(w->root, w->node, port, enabled), enabled ? STEP_ENABLED : STEP_DISABLED, port, NULL);
}

static bool check_port_sessions(Work *w, const char *port) {
        g_autofree char *sessions = kernel_sessions(w->root, w->node, port);

        return !*sessions || refuse(w, REFUSAL_SESSIONS_ACTIVE, "Initiators are logged in through %s of node %s: %.*s", port,
                                    w->node, (int) strcspn(sessions, "\n"), sessions);
}

static bool take_down_port(Work *w, const char *port, bool half) {
        static unsigned places;
        Step *s;

        if (!switch_port(w, port, false) || !remove_portals(w, port))
                return false;
        if (half)
                return true;

        s = add_step(w, STEP_REMOVED_PORT, port, NULL);
        s->place = g_strdup_printf("%s/aside.%d.%u", w->root, (int) getpid(), places++);
        kernel_set_contents_aside(w->root, w->node, port, s->place);
        return kernel_rmdir_port(w->root, w->node, port) == 0;
}

/* Operations */

static bool create_node(Work *w, const Operation *o, bool half) {
        g_auto(GStrv) ports = ports_of_node(w);

        if (ports[0])
                return refuse(w, REFUSAL_NAME_IN_USE, "Node %s exists and has ports (%s)", w->node, ports[0]);

        return half || make_node(w);
}

static bool delete_node(Work *w, const Operation *o, bool half) {
        g_auto(GStrv) ports = ports_of_node(w);
        int r;

        if (ports[0])
                return refuse(w, REFUSAL_FOREIGN_OBJECT_INSIDE, "Node %s still has %s", w->node, ports[0]);
        if (half)
                return true;

        r = kernel_rmdir_node(w->root, w->node);
        return r == -ENOENT || did(w, r, STEP_REMOVED_NODE, NULL, NULL);
}

static bool make_port(Work *w, const Operation *o, bool half) {
        g_autofree char *port = NULL, *name = g_strdup_printf("tpgt_%u", o->tag);

        if (!find_port(w, o->tag, &port))
                return false;

        return port || half || (make_node(w) && did(w, kernel_mkdir_port(w->root, w->node, name), STEP_MADE_PORT, name, NULL));
}

static bool create_port(Work *w, const Operation *o, bool half) {
        g_autofree char *port = NULL, *name = g_strdup_printf("tpgt_%u", o->tag);

        if (!find_port(w, o->tag, &port) || port)
                return refuse(w, REFUSAL_IDENTIFIER_IN_USE, "Node %s has a target portal group with tag %u (%s)", w->node, o->tag,
                              port ? port : "several");

        return make_port(w, o, false) && bring_up_portals(w, name, o) && (half || !o->enabled || switch_port(w, name, true));
}

/* What a lost create-port left: nothing but the given portals. */
static bool undo_port(Work *w, const Operation *o, bool half) {
        g_autofree char *name = g_strdup_printf("tpgt_%u", o->tag), *path = kernel_path(w->root, w->node, name, NULL);
        g_autofree char *sessions = kernel_sessions(w->root, w->node, name);
        g_auto(GStrv) entries = portals_of_port(w, name);

        if (!g_file_test(path, G_FILE_TEST_IS_DIR) || *sessions || kernel_port_has_contents(w->root, w->node, name))
                return true;
        for (char **entry = entries; *entry; entry++) {
                char text[PORTAL_TEXT_MAX];
                size_t i;

                for (i = 0; i < o->n_portals; i++)
                        if (g_str_equal(portal_to_text(o->portals + i, text), *entry))
                                break;
                if (i == o->n_portals)
                        return true;
        }

        return take_down_port(w, name, half);
}

static bool delete_port(Work *w, const Operation *o, bool half) {
        g_autofree char *port = NULL;

        if (!find_port(w, o->tag, &port))
                return false;
        if (!port)
                return true;

        return (o->force || check_port_sessions(w, port)) && take_down_port(w, port, half);
}

static bool bind_portal(Work *w, const Operation *o, bool half) {
        g_autofree char *port = NULL;
        char text[PORTAL_TEXT_MAX];

        if (!find_existing_port(w, o->tag, &port) || !bring_up_portal(w, port, o->portals))
                return false;
        if (half)
                (void) kernel_deafen_portal(w->root, w->node, port, portal_to_text(o->portals, text));
        return true;
}

static bool unbind_portal(Work *w, const Operation *o, bool half) {
        g_autofree char *port = NULL, *entry = NULL;

        if (!find_port(w, o->tag, &port))
                return false;
        entry = port ? find_portal(w, port, o->portals) : NULL;

        return half || !entry || remove_portal(w, port, entry);
}

static bool enable_port(Work *w, const Operation *o, bool half) {
        g_autofree char *port = NULL;

        return find_existing_port(w, o->tag, &port) && (half || switch_port(w, port, true));
}

static bool disable_port(Work *w, const Operation *o, bool half) {
        g_autofree char *port = NULL;

        return find_existing_port(w, o->tag, &port) && (o->force || check_port_sessions(w, port)) &&
               (half || switch_port(w, port, false));
}

static bool check_sessions(Work *w, const Operation *o, bool half) {
        g_auto(GStrv) ports = ports_of_node(w);

        for (char **port = ports; *port; port++) {
                uint16_t tag;

                if ((o->all || (kernel_parse_tag(*port, &tag) >= 0 && tag == o->tag)) && !check_port_sessions(w, *port))
                        return false;
        }

        return true;
}

/* Lines "lun NAME" and "acl INITIATOR". */
char *work_take_snapshot(Work *w, uint16_t tag, GStrv *ret_unreadable) {
        g_autofree char *port = NULL, *lun = NULL, *acl = NULL;
        g_autoptr(GStrvBuilder) unreadable = g_strv_builder_new();
        g_auto(GStrv) luns = NULL, acls = NULL;
        GString *text;

        if (!find_port(w, tag, &port) || !port)
                return NULL;

        text = g_string_new(NULL);
        lun = kernel_path(w->root, w->node, port, "lun", NULL);
        acl = kernel_path(w->root, w->node, port, "acls", NULL);
        luns = kernel_list(lun);
        acls = kernel_list(acl);
        for (char **name = luns; *name; name++)
                g_string_append_printf(text, "lun %s\n", *name);
        for (char **name = acls; *name; name++) {
                g_autofree char *password = g_build_filename(acl, *name, "password", NULL);
                g_autofree char *what = g_strdup_printf("the CHAP secret of %s", *name);

                g_string_append_printf(text, "acl %s\n", *name);
                if (g_file_test(password, G_FILE_TEST_EXISTS))
                        g_strv_builder_add(unreadable, what);
        }

        *ret_unreadable = g_strv_builder_end(unreadable);
        return g_string_free(text, FALSE);
}

/* What is there already stays as it is. */
static bool restore_contents(Work *w, const Operation *o, bool half) {
        g_autofree char *port = NULL;
        g_auto(GStrv) lines = g_strsplit(o->snapshot ?: "", "\n", 0);

        if (!o->snapshot || !*o->snapshot)
                return refuse(w, REFUSAL_INVALID_PARAMETER, "This is no snapshot");
        if (!find_existing_port(w, o->tag, &port))
                return false;

        for (char **line = lines; *line && !half; line++)
                if (g_str_has_prefix(*line, "lun "))
                        (void) kernel_add_lun(w->root, w->node, port, *line + 4);
                else if (g_str_has_prefix(*line, "acl "))
                        (void) kernel_add_acl(w->root, w->node, port, *line + 4, NULL);
                else if (**line)
                        return refuse(w, REFUSAL_INVALID_PARAMETER, "This is no snapshot: %s", *line);
        return true;
}

static bool (*const operations[_VERB_MAX])(Work *w, const Operation *o, bool half) = {
#define VERB(id, function, ...) [VERB_##id] = function,
#include "common/verbs.def"
};

/* Taking back */

static void undo_removed_port(Work *w, const Step *s) {
        g_autofree char *acls = g_build_filename(s->place, "acls", NULL);
        g_auto(GStrv) initiators = kernel_list(acls);

        (void) kernel_mkdir_port(w->root, w->node, s->port);

        /* A secret cannot be read, so it cannot be given back. */
        for (char **initiator = initiators; *initiator; initiator++) {
                g_autofree char *password = g_build_filename(acls, *initiator, "password", NULL);

                if (g_file_test(password, G_FILE_TEST_EXISTS)) {
                        kernel_remove_tree(password);
                        g_string_append_printf(w->lost, "%sthe CHAP secret of %s in %s", w->lost->len > 0 ? ", " : "", *initiator,
                                               s->port);
                }
        }
        kernel_take_contents_back(w->root, w->node, s->port, s->place);
}

static void undo_step(Work *w, const Step *s) {
        switch (s->kind) {
        case STEP_MADE_NODE:
                (void) kernel_rmdir_node(w->root, w->node);
                break;
        case STEP_REMOVED_NODE:
                (void) kernel_mkdir_node(w->root, w->node);
                break;
        case STEP_MADE_PORT:
                (void) kernel_rmdir_port(w->root, w->node, s->port);
                break;
        case STEP_REMOVED_PORT:
                undo_removed_port(w, s);
                break;
        case STEP_MADE_PORTAL:
                (void) kernel_rmdir_portal(w->root, w->node, s->port, s->portal);
                break;
        case STEP_REMOVED_PORTAL:
                (void) kernel_mkdir_portal(w->root, w->node, s->port, s->portal);
                break;
        case STEP_ENABLED:
                (void) kernel_enable(w->root, w->node, s->port, false);
                break;
        case STEP_DISABLED:
                (void) kernel_enable(w->root, w->node, s->port, true);
                break;
        }
}

static void undo_until(Work *w, guint n) {
        while (w->steps->len > n) {
                undo_step(w, g_ptr_array_index(w->steps, w->steps->len - 1));
                g_ptr_array_set_size(w->steps, (gint) w->steps->len - 1);
        }
}

void work_undo(Work *w) {
        undo_until(w, 0);
}

bool work_do(Work *w, const Operation *o, bool half) {
        guint n = w->steps->len;
        bool done;

        w->refusal = REFUSAL_NONE;
        g_clear_pointer(&w->why, g_free);

        done = operations[o->verb](w, o, half);
        if (!done) {
                undo_until(w, n);
                if (w->refusal == REFUSAL_NONE)
                        (void) refuse(w, REFUSAL_FAILED, "%s failed in node %s", verb_info(o->verb)->name, w->node);
        }
        return done;
}
