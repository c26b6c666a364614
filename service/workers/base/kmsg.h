/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel's log, where it tells the reason that its errno hides. */

/* Opens the log at its end, so that only what comes later is read. Returns a descriptor, or a negative errno (no right to it). */
int kmsg_open(void);

/* The last warning or error of the kernel since kmsg_open(), without its prefix; a fresh string, or NULL if there is none. Other
 * parts of the kernel may have written it, so it is a hint and no more. */
char *kmsg_last_complaint(int fd);

/* The text of a record of /dev/kmsg ("3,1234,5678,-;text\n …") if the kernel itself wrote it as a warning or worse; TEXT is cut
 * at the line's end. Returns NULL for any other record. */
char *kmsg_complaint(char *record);
