/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The sentences for people: what is wrong with the file, and what can be done about it. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/internal.h"

typedef struct Advice {
        int error;
        const char *what; /* stands behind "The store PATH"; NULL: cannot be used */
        const char *way_out;
        const char *new_store; /* what --new-store does, where that is a way out too */
} Advice;

#define SETS_ASIDE "sets it aside and begins an empty one"
#define MAKES_ONE "makes an empty one"

static const Advice fault_advice[] = {
        { -EUCLEAN, "is damaged", "put a backup in its place", SETS_ASIDE },
        { -EMEDIUMTYPE, "is not a store of this service", "put a backup in its place", SETS_ASIDE },
        { -EPROTONOSUPPORT, "is newer than this program", "install the version that wrote it", SETS_ASIDE },
        { -ENOTRECOVERABLE, "could not be brought to the format of this version and is as it was",
          "install the version before and report this", SETS_ASIDE },
        { -ENODATA, "is missing", "put it back", MAKES_ONE },
        { -ESTALE, "is not where it was", "put it back", MAKES_ONE },
        { -ENOSPC, NULL, "make room on its file system" },
        { -EDQUOT, NULL, "make room on its file system" },
        { -EROFS, NULL, "make the directory and its files writable for the service's user" },
        { -EACCES, NULL, "make the directory and its files accessible and writable for the service's user" },
        { -EPERM, NULL, "make the directory and its files accessible and writable for the service's user" },
        { -EBUSY, NULL, "end the program that holds it open" },
        { -EOPNOTSUPP, NULL, "put the directory on a local file system" },
        { -ELOOP, NULL, "put the file itself there instead of a symbolic link, or nothing" },
        { -EISDIR, NULL, "put a regular file there, or nothing" },
        { -EINVAL, NULL, "put a regular file there, or nothing" },
        { -ENOENT, NULL, "name a directory whose parent exists" },
        { -ENOTDIR, NULL, "name a directory whose parent exists" },
        { -EMFILE, NULL, "raise the limit on open files" },
        { -ENFILE, NULL, "raise the limit on open files" },
        {},
};

static const Advice change_advice[] = {
        { -ENOSPC, "the disk is full", "free some space" },
        { -EROFS, "the state directory cannot be written to", "see its mount and its rights" },
        { -ESTALE, "the store's file was moved away", "put it back" },
        { -EBUSY, "another process holds the lock of the store", "end that process" },
        { -EUCLEAN, "the store is damaged", "see the status of the service" },
        { -ENOENT, "it belongs to something that the store does not have", "restart the service, and report this" },
        { -EEXIST, "the store refuses it", "restart the service, and report this" },
        { -ETIMEDOUT, "the disk does not answer", "see the kernel's log" },
        { -ENOMEM, "the service has no memory left", "see its limits" },
        {},
};

/* The last, empty row stands for all others. */
static const Advice *find(const Advice *advice, int error) {
        while (advice->error != 0 && advice->error != error)
                advice++;

        return advice;
}

/* The command as it can be typed: the program is not in the search path, and the directory need not be the usual one. */
static char *new_store_command(const char *path) {
        size_t n = (size_t) (strrchr(path, '/') - path);
        bool usual = n == strlen(STORE_DIRECTORY) && strncmp(path, STORE_DIRECTORY, n) == 0;
        char *command;

        if (asprintf(&command, "%s --new-store%s%.*s", program_invocation_name,
                     usual ? "" : " --state-directory=", usual ? 0 : (int) n, path) < 0)
                return NULL;

        return command;
}

char *explain_fault(const char *path, int error, const char *detail) {
        const Advice *a = find(fault_advice, error);
        _cleanup_free_ char *command = NULL;
        char *sentence;
        int r;

        if (a->new_store) {
                command = new_store_command(path);
                if (!command)
                        return NULL;
        }

        r = asprintf(&sentence, "The store %s %s: %s (%s%s%s%s%s)", path, a->what ? a->what : "cannot be used",
                     detail && *detail ? detail : strerror(-error), a->way_out ? a->way_out : "see the kernel's log",
                     command ? ", or begin anew: \"" : "", command ? command : "", command ? "\" " : "",
                     command ? a->new_store : "");
        return r < 0 ? NULL : sentence;
}

char *explain_failed_change(int error, const char *detail) {
        const Advice *a = find(change_advice, error);
        char *sentence;

        if (asprintf(&sentence, "The change could not be stored: %s; %s (%s)", a->what ? a->what : strerror(-error),
                     a->way_out ? a->way_out : "see the log of the service", detail && *detail ? detail : strerror(-error)) < 0)
                return NULL;

        return sentence;
}
