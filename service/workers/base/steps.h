/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A change of a tree of directories as a row of steps, each with what undoes it.
 *
 *     step ── peer still there? ── step ── peer still there? ── … ── steps_done()
 *       │                            │
 *       └──── failure or hang-up ────┴──▶ steps_undo(): in reverse, only what these very steps made
 *
 * A step that changes nothing (the directory is there already) leaves nothing to undo. */

#include <stdbool.h>
#include <stddef.h>

#include "workers/base/report.h"

/* Takes back what a step did to PATH and looks whether it is taken back. Returns 0 or a negative errno. */
typedef int (*undo_t)(const char *path);

typedef struct Undo {
        char *path;
        undo_t undo;
} Undo;

typedef struct Steps {
        int peer_fd;
        Report *report; /* not owned */
        Undo *undo;
        size_t n_undo;
        bool undoing; /* keep what undoes each step; removals cannot be undone and do without */
        int kmsg_fd;
} Steps;

/* Opens the kernel's log too, for the hints. */
void steps_begin(Steps *s, int peer_fd, Report *report, bool undoing);

/* Frees what undoes the steps: they stay. */
void steps_done(Steps *s);

/* Answers -ECANCELED, with the report filled, once the peer has hung up. Each of the following asks it first. */
int steps_check_peer(Steps *s);

/* Makes a directory. Returns 1 if it was made, 0 if it is there already, or the kernel's negative errno without a report: the caller
 * knows better what it means. */
int step_mkdir(Steps *s, const char *path);

/* Removes a directory, or a symbolic link. Absent is success. Errors as for step_mkdir(). */
int step_rmdir(Steps *s, const char *path);
int step_unlink(Steps *s, const char *path);

/* For a step of another kind: makes room for what undoes it before it is done, so that no step is left without. Returns 0 or -ENOMEM. */
int steps_reserve(Steps *s, const char *path, undo_t undo);

/* Undoes all steps in reverse and looks whether they are undone. Returns the error that led here, REASON, with its report; or, if
 * something could not be undone, a Degraded with both causes. */
int steps_undo(Steps *s, int reason);

/* Reports that doing WHAT to PATH failed with the negative errno ERROR, with the kernel's own words if it left some. */
int steps_refuse(Steps *s, Refusal refusal, const char *what, const char *path, int error);
