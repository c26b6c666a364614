/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "change/plan.h"
#include "common/identifier.h"
#include "common/log.h"
#include "rules/refuse.h"

/* What one backend was asked. */
typedef struct Asked {
        Check *check;
        BackendCall *call;
        BackendBatch batch; /* its number of items alone; the rest is gone with the plan */
        size_t *numbers;    /* see plan_number_items() */
} Asked;

struct Check {
        Context *context;
        const Intent *intent;
        unsigned attempt; /* how many times the kernel turned down a chosen Identifier */
        uint64_t minimum, highest_chosen;
        check_done_t done;
        void *userdata;
        char **effects, **warnings;
        size_t n_effects, n_warnings;
        char identifier[IDENTIFIER_DIGITS + 1];
        Asked *asked;
        size_t n_asked, n_open;
        size_t failed; /* the first one that refused */
        Refusal refusal;
        char *why;
};

static void texts_free(char **texts, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(texts[i]);
        free(texts);
}

/* Forgets what was found out. */
static void check_reset(Check *c) {
        for (size_t i = 0; i < c->n_asked; i++) {
                backend_call_cancel(c->asked[i].call);
                free(c->asked[i].numbers);
        }
        free(TAKE_PTR(c->asked));
        texts_free(TAKE_PTR(c->effects), c->n_effects);
        texts_free(TAKE_PTR(c->warnings), c->n_warnings);
        free(TAKE_PTR(c->why));
        c->n_asked = c->n_effects = c->n_warnings = 0;
        c->failed = SIZE_MAX;
        c->refusal = REFUSAL_NONE;
        c->identifier[0] = '\0';
}

Check *check_free(Check *c) {
        if (!c)
                return NULL;

        check_reset(c);
        free(c);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP(Check *, check_free);

static void check_end(Check *c) {
        c->done(
                &(CheckResult){
                        .refusal = c->refusal,
                        .why = c->why ? c->why : refusal_meaning(c->refusal),
                        .effects = c->effects,
                        .n_effects = c->n_effects,
                        .warnings = c->warnings,
                        .n_warnings = c->n_warnings,
                        .identifier = c->identifier,
                },
                c->userdata);
        check_free(c);
}

static int add_text(char ***list, size_t *n, const char *text) {
        char **l;

        l = reallocarray(*list, *n + 1, sizeof(char *));
        if (!l)
                return -ENOMEM;
        *list = l;
        l[*n] = strdup(text);
        return l[*n] ? (int) (*n)++ : -ENOMEM;
}

static int check_begin_attempt(Check *c);

static void check_fail(Check *c, int r) {
        check_reset(c);
        c->refusal = REFUSAL_UNSPECIFIED;
        log_error_errno(r, "Failed to check %s", c->intent->method->name);
        (void) refuse(REFUSAL_UNSPECIFIED, &c->why, "The service failed: %s; its log says more", strerror(-r));
        check_end(c);
}

/* All backends have answered. The call would try another Identifier if the one that the service chose is another program's. */
static void check_answered(Check *c) {
        int r;

        if (c->refusal != REFUSAL_IDENTIFIER_IN_USE || c->highest_chosen == 0 || c->attempt >= CHOICES_MAX) {
                check_end(c);
                return;
        }

        check_reset(c);
        c->attempt++;
        c->minimum = c->highest_chosen + 1;
        r = check_begin_attempt(c);
        if (r < 0)
                check_fail(c, r);
        else if (r > 0)
                check_end(c);
}

static void asked_answered(const BackendResult *result, void *userdata) {
        Asked *a = userdata;
        Check *c = a->check;
        size_t k = (size_t) (a - c->asked);

        a->call = NULL;
        for (char **w = result->warnings; w && *w; w++)
                (void) add_text(&c->warnings, &c->n_warnings, *w);

        if (result->refusal != REFUSAL_NONE && k < c->failed) {
                c->failed = k;
                c->refusal = result->refusal;
                free(c->why);
                c->why = backend_batch_explain(&a->batch, a->numbers, result->failed_item, result->message);
        }
        if (--c->n_open == 0)
                check_answered(c);
}

/* All backends are asked at once; they copy what they need of the plan. */
static int check_ask(Check *c, const Plan *p, const BackendWork *w) {
        c->asked = calloc(w->n + 1, sizeof(Asked));
        if (!c->asked)
                return -ENOMEM;

        for (size_t i = 0; i < w->n; i++) {
                const BackendBatch *b = w->batches + i;
                BackendRequest request = backend_batch_request(b);
                int r;

                request.check = true;
                c->asked[i].check = c;
                c->asked[i].batch.n_items = b->n_items;
                r = plan_number_items(p, b, &c->asked[i].numbers);
                if (r < 0)
                        return r;
                c->n_asked++;
                r = backend_apply(b->backend, &request, asked_answered, c->asked + i, &c->asked[i].call);
                if (r < 0)
                        return r;
                c->n_open++;
        }

        return 0;
}

static int check_describe(Check *c, const Plan *p) {
        for (size_t i = 0; i < p->n_operations; i++) {
                const Operation *o = p->operations[i];
                _cleanup_free_ char *effect = o->kind->describe(o);
                int r;

                r = effect ? add_text(&c->effects, &c->n_effects, effect) : -ENOMEM;
                if (r < 0)
                        return r;
                if (!c->identifier[0] && o->port && o->kind->result)
                        (void) identifier_to_text(o->port->key.identifier, c->identifier);
        }
        if (p->looks) {
                _cleanup_free_ char *effect = NULL;
                int r;

                r = asprintf(&effect, "Look at %s%s and put right what is other than desired", p->node ? "node " : "all nodes",
                             p->node ? p->node : "") < 0
                            ? -ENOMEM
                            : add_text(&c->effects, &c->n_effects, effect);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < p->n_warnings; i++) {
                int r = add_text(&c->warnings, &c->n_warnings, p->warnings[i]);

                if (r < 0)
                        return r;
        }

        return 0;
}

/* Returns 0 or a Refusal, with its sentence, or a negative errno. */
static int check_plan(Check *c, char **ret_why) {
        Plan p = { .attempt = c->attempt, .minimum = c->minimum };
        BackendWork w = {};
        int r;

        r = context_takes_changes(c->context, ret_why);
        if (r == 0)
                r = plan_make(&p, c->context, c->intent, ret_why);
        if (r != 0)
                return r;

        c->highest_chosen = plan_highest_chosen(&p);
        r = check_describe(c, &p);
        if (r >= 0)
                r = plan_request(&p, &w, ret_why);
        if (r >= 0)
                r = check_ask(c, &p, &w);
        plan_release(&p);
        plan_done(&p);
        backend_work_done(&w);
        return r == -ENXIO && *ret_why ? (int) REFUSAL_BACKEND_UNAVAILABLE : r;
}

/* Returns 0 (backends were asked), 1 (the answer is known) or a negative errno. */
static int check_begin_attempt(Check *c) {
        int r;

        r = check_plan(c, &c->why);
        if (r < 0)
                return r;
        c->refusal = (Refusal) r;
        return r > 0 || c->n_open == 0;
}

int check_begin(Context *context, const Intent *intent, check_done_t done, void *userdata, Check **ret) {
        _cleanup_(check_freep) Check *c = NULL;
        int r;

        *ret = NULL;
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->context = context;
        c->intent = intent;
        c->done = done;
        c->userdata = userdata;
        c->failed = SIZE_MAX;

        r = check_begin_attempt(c);
        if (r < 0)
                return r;
        if (r > 0)
                check_end(TAKE_PTR(c));
        else
                *ret = TAKE_PTR(c);
        return 0;
}
