/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A change of a tree of directories as a row of steps, each with what undoes it.
 *
 *     step ── peer still there? ── step ── peer still there? ── … ── steps_done()
 *       │                            │
 *       └──── failure or hang-up ────┴──▶ steps_undo(): in reverse, only what these very steps made
 *
 * A step that changes nothing (the directory is there already) leaves nothing to undo. The steps of several operations stand in
 * one row; each knows its operation, so that one operation can be undone without the others. */

#include <stdbool.h>
#include <stddef.h>

#include "workers/base/report.h"
#include "workers/base/texts.h"
#include "workers/base/watch.h"

typedef struct Undo Undo;

/* Takes back what a step did to the path and looks whether it is taken back. What can not be had again, but is no fault of the
 * undo, goes into LOST by name. Returns 0 or a negative errno. */
typedef int (*undo_t)(const Undo *u, Texts *lost);

struct Undo {
        undo_t undo;
        size_t operation; /* whose step it was */
        char *path;       /* owned */
        char *data;       /* owned, or NULL: what was there before the step */
        size_t size;
        const void *userdata; /* of the one who made the step; outlives the steps */
};

typedef struct Steps {
        const Watch *watch; /* NULL: nobody waits for the end of these steps */
        Locks *locks;       /* NULL: none are held */
        Report *report;     /* of the operation under way; not owned */
        size_t operation;   /* the one under way */
        Undo *undo;
        size_t n_undo;
        int kmsg_fd; /* -1 until steps_listen() */
} Steps;

void steps_begin(Steps *s, const Watch *watch, Locks *locks);

/* Frees what undoes the steps: they stay. */
void steps_done(Steps *s);

/* The next steps are those of OPERATION, whose failures go into REPORT. */
void steps_set_operation(Steps *s, size_t operation, Report *report);

/* Answers -ECANCELED, with the report filled, once the peer has hung up. Each of the following asks it first. */
int steps_check_peer(Steps *s);

/* Makes a directory. Returns 1 if it was made, 0 if it is there already, or the kernel's negative errno without a report: the
 * caller knows better what it means. */
int step_mkdir(Steps *s, const char *path);

/* The same with an undo of the caller's own. */
int step_mkdir_undone_by(Steps *s, const char *path, undo_t undo);

/* Removes a directory; undone, it is made again. Absent is success. Errors as for step_mkdir(). */
int step_rmdir(Steps *s, const char *path);

/* The same without an undo: where something larger brings all back, see steps_add(). */
int step_drop_dir(Steps *s, const char *path);
int step_drop_link(Steps *s, const char *path);

/* Makes a symbolic link. Returns as step_mkdir(). */
int step_symlink(Steps *s, const char *target, const char *path);

/* Writes VALUE into the file unless it has it already (a newline at the end does not count); undone, the earlier value is
 * written. Returns 1 if it was written, else as step_mkdir(). */
int step_write(Steps *s, const char *path, const char *value);

/* The same without looking at the value before and without an undo. Returns 0 or a negative errno. */
int step_write_only(Steps *s, const char *path, const char *value);

/* For a step of another kind: notes what undoes it before it is done, so that no step is left without. The DATA is copied.
 * Returns 0 or -ENOMEM. */
int steps_add(Steps *s, undo_t undo, const char *path, const void *data, size_t size, const void *userdata);

/* Undoes all steps of OPERATION, SIZE_MAX: of all operations, in reverse and looks whether they are undone. REPORT is of the one
 * that failed: if something could not be undone it becomes Degraded with both causes; what was lost is added to its message. */
void steps_undo(Steps *s, size_t operation, Report *report);

/* From here on the kernel's complaints are kept for steps_refuse(). */
void steps_listen(Steps *s);

/* Reports that doing WHAT to PATH failed with the negative errno ERROR, with the kernel's own words if it left some. */
int steps_refuse(Steps *s, Refusal refusal, const char *what, const char *path, int error);

/* Reads a file of at most 4096 bytes into a fresh string; *RET_SIZE (may be NULL) says how many bytes came. Returns 0 or a
 * negative errno. */
int file_read(const char *path, char **ret, size_t *ret_size);
