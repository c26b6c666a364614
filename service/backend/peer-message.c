/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "backend/peer-message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/peer-observed.h"
#include "backend/peer-text.h"
#include "common/log.h"

_Static_assert(_REFUSAL_MAX <= 64, "a set of refusals fits into 64 bits");

/* What a call as a whole may answer. Only one that changes something can leave it half done, or have found something before it
 * began. */
static uint64_t call_refusals(CallKind kind) {
        uint64_t of_changes = REFUSAL_BIT(REFUSAL_DEGRADED) | REFUSAL_BIT(REFUSAL_FOREIGN_OBJECT_INSIDE);

        return kind == CALL_APPLY || kind == CALL_CHECK ? VERB_REFUSALS_ANY : VERB_REFUSALS_ANY & ~of_changes;
}

static int append_option(sd_bus_message *m, bool takes, const char *key, bool value) {
        return takes ? sd_bus_message_append(m, "{sv}", key, "b", (int) value) : 0;
}

static int append_snapshot(sd_bus_message *m, const void *snapshot, size_t size) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "Snapshot");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "ay");
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', snapshot, size);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;

        return sd_bus_message_close_container(m);
}

static int append_options(sd_bus_message *m, unsigned takes, const BackendItem *item) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = append_option(m, takes & TAKES_ENABLED, "Enabled", item->enabled);
        if (r >= 0)
                r = append_option(m, takes & TAKES_FORCE, "Force", item->force);
        if (r >= 0)
                r = append_option(m, takes & TAKES_ALL, "All", item->all);
        if (r >= 0 && (takes & TAKES_SNAPSHOT))
                r = append_snapshot(m, item->snapshot, item->snapshot_size);
        if (r < 0)
                return r;

        return sd_bus_message_close_container(m);
}

static int append_portals(sd_bus_message *m, const Portal *portals, size_t n) {
        char text[IP_ADDRESS_TEXT_MAX];
        int r;

        r = sd_bus_message_open_container(m, 'a', "(sq)");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append(m, "(sq)", ip_address_to_text(&portals[i].address, text), portals[i].port);
        if (r < 0)
                return r;

        return sd_bus_message_close_container(m);
}

static int append_item(sd_bus_message *m, const BackendItem *item) {
        const VerbInfo *verb = verb_info(item->verb);
        bool identified = (verb->takes & TAKES_IDENTIFIER) && !((verb->takes & TAKES_ALL) && item->all);
        bool on_portals = verb->takes & (TAKES_PORTALS | TAKES_PORTAL);
        int r;

        r = sd_bus_message_open_container(m, 'r', "sta(sq)a{sv}");
        if (r >= 0)
                r = sd_bus_message_append(m, "st", verb->name, identified ? item->identifier : 0);
        if (r >= 0)
                r = append_portals(m, item->portals, on_portals ? item->n_portals : 0);
        if (r >= 0)
                r = append_options(m, verb->takes, item);
        if (r < 0)
                return r;

        return sd_bus_message_close_container(m);
}

static int append_expected(sd_bus_message *m, const uint64_t *expected, size_t n) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "Expected");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "at");
        if (r >= 0)
                r = sd_bus_message_append_array(m, 't', expected, n * sizeof(uint64_t));
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;

        return sd_bus_message_close_container(m);
}

static int append_preconditions(sd_bus_message *m, const BackendRequest *request) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0 && request->keep_going)
                r = sd_bus_message_append(m, "{sv}", "Atomic", "b", 0);
        if (r >= 0 && request->expected)
                r = append_expected(m, request->expected, request->n_expected);
        if (r < 0)
                return r;

        return sd_bus_message_close_container(m);
}

static int append_request(sd_bus_message *m, const BackendRequest *request) {
        int r;

        r = sd_bus_message_append(m, "s", request->node);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sta(sq)a{sv})");
        for (size_t i = 0; r >= 0 && i < request->n_items; i++)
                r = append_item(m, request->items + i);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;

        return append_preconditions(m, request);
}

int peer_call_to_message(const BackendCall *c, sd_bus *bus, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, NULL, BACKEND_PATH, BACKEND_INTERFACE, call_kind_name(c->kind));
        if (r < 0)
                return r;

        switch (c->kind) {
        case CALL_APPLY:
        case CALL_CHECK:
                r = append_request(m, &c->request);
                break;
        case CALL_OBSERVE:
                r = sd_bus_message_append(m, "s", c->request.node);
                break;
        case CALL_LIST_NODES:
        case _CALL_KIND_MAX:
                break;
        }
        if (r < 0)
                return r;

        *ret = TAKE_PTR(m);
        return 0;
}

/* Takes an error that the worker told, if it is among ALLOWED, and else says so of WHAT. *RET_MESSAGE may become NULL: memory is
 * short. */
static Refusal read_refusal(const sd_bus_error *e, uint64_t allowed, const char *backend, const char *what, char **ret_message) {
        _cleanup_free_ char *text = peer_text(e->message ?: "", PEER_TEXT_MAX);
        Refusal refusal;

        refusal = refusal_from_error_name(e->name);
        if (refusal != REFUSAL_NONE && (allowed & REFUSAL_BIT(refusal))) {
                *ret_message = text && *text ? TAKE_PTR(text) : strdup(refusal_meaning(refusal));
                return refusal;
        }

        log_warning("Backend %s answered %s with an error that it may not give: %s: %s", backend, what, e->name,
                    text && *text ? text : "(no message)");

        if (asprintf(ret_message,
                     "Backend %s failed in %s for a reason that this service does not know%s%s; the service's log gives it",
                     backend, what, text && *text ? ": " : "", text ?: "") < 0)
                *ret_message = NULL;
        return REFUSAL_UNSPECIFIED;
}

/* One item of the answer. Returns 1 if it is the cause of a failure, 0 if not, or a negative errno. */
static int read_result(sd_bus_message *m, const char *backend, const BackendCall *c, PeerAnswer *a) {
        const BackendItem *item = c->request.items + a->n_items;
        BackendItemResult *result = a->items + a->n_items;
        const char *name, *message;
        char *text = NULL;
        int r;

        r = sd_bus_message_read(m, "(ss)", &name, &message);
        if (r < 0)
                return r;
        if (r == 0)
                return -EBADMSG; /* one result too few */
        a->n_items++;

        r = 0;
        if (!*name)
                text = *message ? peer_text(message, PEER_TEXT_MAX) : NULL;
        else if (c->kind == CALL_APPLY && !c->request.keep_going && strcmp(name, BACKEND_ERROR_NOT_DONE) == 0) {
                result->refusal = REFUSAL_FAILED;
                text = peer_text(*message ? message : "not done because of another operation", PEER_TEXT_MAX);
        } else {
                sd_bus_error e = { .name = name, .message = message };
                const VerbInfo *verb = verb_info(item->verb);

                result->refusal = read_refusal(&e, verb->refusals, backend, verb->name, &text);
                r = 1;
        }

        result->message = text;
        return result->refusal != REFUSAL_NONE && !text ? -ENOMEM : r;
}

/* Whether the mixture of results is one that all-or-nothing can end in. */
static bool results_fit(const BackendCall *c, const PeerAnswer *a) {
        bool succeeded = false, failed = false;

        if (c->kind != CALL_APPLY || c->request.keep_going)
                return true;

        for (size_t i = 0; i < a->n_items; i++) {
                succeeded |= a->items[i].refusal == REFUSAL_NONE;
                failed |= a->items[i].refusal != REFUSAL_NONE;
        }
        if (!failed)
                return true;

        return a->failed_item != SIZE_MAX && (!succeeded || a->items[a->failed_item].refusal == REFUSAL_DEGRADED);
}

static int read_results(sd_bus_message *m, const char *backend, const BackendCall *c, PeerAnswer *a) {
        int r;

        a->items = calloc(c->request.n_items, sizeof(BackendItemResult));
        if (!a->items)
                return -ENOMEM;

        r = sd_bus_message_enter_container(m, 'a', "(ss)");
        if (r < 0)
                return r;
        for (size_t i = 0; i < c->request.n_items; i++) {
                r = read_result(m, backend, c, a);
                if (r < 0)
                        return r;
                if (r > 0 && a->failed_item == SIZE_MAX)
                        a->failed_item = i;
        }
        if (sd_bus_message_at_end(m, false) <= 0 || !results_fit(c, a))
                return -EBADMSG;

        return sd_bus_message_exit_container(m);
}

static int read_warnings(sd_bus_message *m, PeerAnswer *a) {
        const char *text;
        int r;

        a->warnings = calloc(BACKEND_WARNINGS_MAX + 1, sizeof(char *));
        if (!a->warnings)
                return -ENOMEM;

        r = sd_bus_message_enter_container(m, 'a', "s");
        for (size_t n = 0; r >= 0 && (r = sd_bus_message_read(m, "s", &text)) > 0;)
                if (n < BACKEND_WARNINGS_MAX) {
                        a->warnings[n] = peer_text(text, PEER_TEXT_MAX);
                        if (!a->warnings[n++])
                                return -ENOMEM;
                }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(m);
}

static int read_arguments(sd_bus_message *m, const char *backend, const BackendCall *c, PeerAnswer *a) {
        int r;

        switch (c->kind) {
        case CALL_APPLY:
                return read_results(m, backend, c, a);
        case CALL_CHECK:
                r = read_results(m, backend, c, a);
                return r < 0 ? r : read_warnings(m, a);
        case CALL_OBSERVE:
                return peer_read_observed(m, backend, c->request.node, &a->observed);
        case CALL_LIST_NODES:
                return peer_read_nodes(m, backend, &a->nodes);
        case _CALL_KIND_MAX:
                break;
        }

        return -EBADMSG;
}

static const char *const signatures[_CALL_KIND_MAX] = {
        [CALL_APPLY] = BACKEND_RESULTS_TYPE,
        [CALL_CHECK] = BACKEND_RESULTS_TYPE "as",
        [CALL_OBSERVE] = BACKEND_OBSERVED_TYPE,
        [CALL_LIST_NODES] = "as",
};

/* Says why the arguments of a success could not be read. */
static void refuse_arguments(int error, const char *backend, const BackendCall *c, PeerAnswer *a) {
        int r;

        peer_answer_done(a);
        switch (error) {
        case -E2BIG:
                a->refusal = REFUSAL_LIMIT_REACHED;
                r = asprintf(
                        &a->message,
                        "Backend %s knows of more than %u nodes, or in one node of more than %u ports or %u portals: more than "
                        "this service handles",
                        backend, OBSERVED_NODES_MAX, OBSERVED_PORTS_MAX, OBSERVED_PORTALS_MAX);
                break;
        case -ENOMEM:
                /* What was done is not known any more. */
                a->refusal = REFUSAL_FAILED;
                a->malformed = c->kind == CALL_APPLY;
                r = asprintf(&a->message, "Out of memory");
                break;
        default:
                a->refusal = REFUSAL_UNSPECIFIED;
                a->malformed = true;
                r = asprintf(&a->message,
                             "Backend %s answered %s in a form that this service does not know: do their versions match?",
                             backend, c->what);
        }
        if (r < 0)
                a->message = NULL;
}

static void read_success(sd_bus_message *m, const char *backend, const BackendCall *c, PeerAnswer *a) {
        const char *signature;
        int r;

        signature = sd_bus_message_get_signature(m, true) ?: "";
        if (strcmp(signature, signatures[c->kind]) != 0) {
                log_warning("Backend %s answered %s with signature \"%s\" instead of \"%s\"", backend, c->what, signature,
                            signatures[c->kind]);
                r = -EBADMSG;
        } else {
                r = read_arguments(m, backend, c, a);
                if (r < 0)
                        log_warning_errno(r, "Answer of backend %s to %s cannot be read", backend, c->what);
        }
        if (r < 0)
                refuse_arguments(r, backend, c, a);
}

void peer_answer_read(sd_bus_message *reply, const char *backend, const BackendCall *c, PeerAnswer *ret) {
        *ret = (PeerAnswer){ .failed_item = SIZE_MAX };

        if (sd_bus_message_is_method_error(reply, NULL))
                ret->refusal =
                        read_refusal(sd_bus_message_get_error(reply), call_refusals(c->kind), backend, c->what, &ret->message);
        else
                read_success(reply, backend, c, ret);
}

BackendResult peer_answer_result(PeerAnswer *a, const BackendCall *c) {
        BackendResult result = {
                .refusal = a->refusal,
                .message = a->message,
                .outcome_unknown = a->malformed,
                .failed_item = a->failed_item,
                .items = a->items,
                .n_items = a->n_items,
                .warnings = a->warnings,
        };

        if (a->failed_item != SIZE_MAX) {
                result.refusal = a->items[a->failed_item].refusal;
                result.message = a->items[a->failed_item].message;
        }
        if (result.refusal != REFUSAL_NONE && !result.message)
                result.message = refusal_meaning(result.refusal);
        if (result.refusal == REFUSAL_NONE && c->kind == CALL_OBSERVE)
                result.observed = &a->observed;
        if (result.refusal == REFUSAL_NONE && c->kind == CALL_LIST_NODES)
                result.nodes = a->nodes;

        return result;
}

void peer_answer_done(PeerAnswer *a) {
        for (size_t i = 0; i < a->n_items; i++)
                free((void *) a->items[i].message);
        free(a->items);
        free(a->message);
        strings_free(a->warnings);
        strings_free(a->nodes);
        observed_node_done(&a->observed);
        *a = (PeerAnswer){ .failed_item = SIZE_MAX };
}
