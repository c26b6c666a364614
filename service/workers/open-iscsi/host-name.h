/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The host's name as an initiator, which stands in a file of open-iscsi. */

#include "common/macro.h"

typedef struct HostName {
        char *name; /* in the form that is compared; NULL: there is none that is valid */
        char *why;  /* then why, for people */
} HostName;

void host_name_done(HostName *h);

/* What iscsid would take out of TEXT: the value behind the first line that contains "InitiatorName" with no '#' before it,
 * without the blanks around it. A second one, quotes and a comment behind it do not matter to iscsid: the former is ignored, the
 * latter two are taken as part of the name. Returns a fresh string, "" if there is none, or NULL without memory. */
char *host_name_from_text(const char *text);

/* Reads PATH, normally /etc/iscsi/initiatorname.iscsi, which only root can read, or what it links to. That there is no valid name
 * is a result too. Returns 0 or -ENOMEM. */
int host_name_read(const char *path, HostName *ret);
