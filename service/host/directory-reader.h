/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A thread that puts inotify watches on directories and lists them.
 *
 * Both may block in configfs: mkdir() and rmdir() keep their directory locked until the kernel's object is made or gone, and a
 * removal that hangs keeps it locked for ever. The thread waits in place of the event loop. It has a table of file descriptors of
 * its own, so that it holds nothing of the process when it never comes back. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/macro.h"

typedef struct DirectoryReader DirectoryReader;
typedef struct DirectoryJob DirectoryJob;

struct DirectoryJob {
        DirectoryJob *next;

        /* What is to be done. */
        char *path;
        uint32_t mask; /* IN_…, for inotify_add_watch() */
        bool list;     /* read the names in it once the watch is set */
        void *userdata;

        /* What came of it. */
        int wd;            /* the watch, or a negative errno */
        int listed;        /* 0, or a negative errno; says nothing unless LIST and WD is a watch */
        char *names;       /* of what may be directories, without "." and "..", each ended by a zero byte */
        size_t names_size; /* bytes in NAMES */
};

/* Takes PATH, also if it fails; PATH may be NULL. Returns NULL when out of memory. The rest of the job is for the caller to
 * set. */
DirectoryJob *directory_job_new(char *path);

/* Frees the job and all behind it. */
DirectoryJob *directory_jobs_free(DirectoryJob *jobs);
DEFINE_TRIVIAL_CLEANUP(DirectoryJob *, directory_jobs_free);

/* Called from the event loop with the jobs that are done, in the order in which they were handed over; the callee owns them.
 * Several come together while the thread has more to do. directory_reader_free() may be called from here. */
typedef void (*directory_done_t)(DirectoryJob *jobs, void *userdata);

/* Starts the thread; the watches are those of INOTIFY_FD, which is duplicated. Returns 0 or a negative errno. */
int directory_reader_new(sd_event *event, int inotify_fd, directory_done_t done, void *userdata, DirectoryReader **ret);

/* Hands over one job. USERDATA of the job may be changed until it is done, nothing else. */
void directory_reader_submit(DirectoryReader *reader, DirectoryJob *taken);

/* Has DONE called now for the jobs that are done, which a job that hangs holds back otherwise. Returns whether there were any. */
bool directory_reader_collect(DirectoryReader *reader);

/* Copies the path of the job at work into BUF, cut to SIZE bytes; "" if there is none. */
void directory_reader_at(DirectoryReader *reader, char *buf, size_t size);

/* Ends the thread; what is not done is lost. A thread that hangs in the kernel is left behind after a moment, and frees its
 * memory if it ever comes back. Returns NULL; NULL is fine. */
DirectoryReader *directory_reader_free(DirectoryReader *reader);
DEFINE_TRIVIAL_CLEANUP(DirectoryReader *, directory_reader_free);
