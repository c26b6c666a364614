/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One change under way: what the files of the engine share. */

#include "change/caller.h"
#include "change/locks.h"
#include "change/plan.h"

typedef struct Engine Engine;
typedef struct Task Task;

#define TURN_USEC (10 * UINT64_C(1000000))
#define ANSWER_USEC (24 * UINT64_C(1000000))

typedef enum TaskPhase {
        TASK_ASKING,  /* may the caller do it? */
        TASK_WAITING, /* for its locks */
        TASK_STORING,
        TASK_APPLYING,
        TASK_UNDOING,   /* in the backend */
        TASK_UNSTORING, /* in the store */
} TaskPhase;

struct Engine {
        Context *context;
        Locks *locks;
        Task *tasks;
        unsigned n_tasks;
        unsigned n_freed; /* ever: tells a walk over the tasks that they may not be what they were */
        sd_event_source *sweep;
        void (*suspect)(const char *node, void *userdata);
        void *suspect_userdata;
        engine_look_t look;
        void *look_userdata;
        bool ending;
};

struct Task {
        Engine *engine;
        Intent *intent;
        Caller *caller; /* NULL once answered */
        bool resumes;   /* what a crash cut short: the caller is the service itself, so nobody else tries it again */
        char **details;
        uid_t uid; /* (uid_t) -1: not known yet */
        uint64_t begun_usec;

        TaskPhase phase;
        LockSet *locks;
        uint64_t wait_until, answer_until; /* monotonic; 0: no deadline yet */
        bool late;                         /* the caller was told that it took too long */

        Plan plan;
        uint64_t journal_id; /* 0: nothing is journalled */
        StoreCommit *commit;
        bool stored; /* what the plan says is in the store */
        bool again;  /* once it is taken back: plan anew, with another Identifier */
        BackendWork work;
        size_t batch;     /* the one under way, or the next one */
        size_t n_checked; /* batches of a removal that its backend could do */
        BackendCall *call;
        bool repeated; /* a removal whose outcome was unknown was tried again */

        /* Set once something failed. */
        Refusal refusal;
        char *why;
        bool unknown;   /* what the last backend call did is not known */
        bool half_done; /* and it could not be taken back */
        char *undo_why; /* why not; may be NULL */

        Task *next, **link;
};

Task *task_new(Engine *e, Intent *intent, Caller *caller);
void task_free(Task *t);

/* The locks are held: plans again, stores, applies, settles, answers. */
void task_start(Task *t);

/* Answer and free. WHY may be NULL. */
void task_refuse(Task *t, Refusal refusal, const char *why);
void task_refuse_errno(Task *t, int r);

/* Answers; the task goes on. */
void task_answer(Task *t, const Outcome *o);

void task_log(const Task *t, const char *outcome, const char *detail);
void task_check_deadline(Task *t, uint64_t now);

/* Remembers the first failure, WHY is taken, and takes back what was done. */
void task_fail(Task *t, Refusal refusal, char *why);

/* In task-undo.c: takes the backend's part back, then the store's. */
void task_undo(Task *t);

/* It could not be taken back: shows what is left, answers and frees. */
void task_keep_half_done(Task *t, const char *why);

/* The nodes of the plan may differ from what is desired: has them looked at. */
void task_suspect(Task *t);

void engine_arm_sweep(Engine *e);
