/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What only the tests of this directory may adjust and see. */

#include <systemd/sd-event.h>

#include "host/address.h"

typedef struct Host Host;

typedef struct HostTuning {
        int receive_buffer;          /* SO_RCVBUF of the netlink socket, bytes; the kernel doubles and bounds it */
        unsigned start_timeout_msec; /* how long host_new() may wait */
        unsigned retry_msec;         /* pause after attempts that failed in a row */
} HostTuning;

typedef struct HostStatistics {
        unsigned passes;        /* full reads that came to their end */
        unsigned overruns;      /* full reads begun because the receive buffer ran over */
        unsigned interruptions; /* full reads thrown away because the kernel's tables changed meanwhile */
        unsigned failures;      /* full reads that failed for another reason */
        unsigned forgeries;     /* datagrams ignored because they were not from the kernel */
} HostStatistics;

extern const HostTuning host_tuning_default;

int host_new_tuned(sd_event *event, host_changed_t changed, void *userdata, const HostTuning *tuning, Host **ret);
const HostStatistics *host_statistics(const Host *h);
uint32_t host_netlink_port(const Host *h);
