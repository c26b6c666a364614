/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where open-iscsi has its things on this host. */

typedef struct Installation {
        const char *directory;      /* of the database: ifaces/ and nodes/ are in it; NULL: open-iscsi is not installed */
        const char *lock_directory; /* where lock.write is */
        unsigned lock_timeout;      /* seconds to wait for it */
        const char *host_name;      /* the file with the host's name */
        const char *sysfs;
        const char *iscsiadm;
        unsigned iscsiadm_msec; /* how long it may take */
        const char *proc;
} Installation;
