/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <syslog.h>

#include "common/macro.h"

int kmsg_open(void) {
        _cleanup_close_ int fd = -1;

        fd = open("/dev/kmsg", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0 || lseek(fd, 0, SEEK_END) < 0)
                return -errno;

        return TAKE_FD(fd);
}

char *kmsg_complaint(char *record) {
        unsigned long priority;
        char *end, *text;

        priority = strtoul(record, &end, 10);
        if (end == record || *end != ',' || LOG_FAC(priority) != LOG_KERN || LOG_PRI(priority) > LOG_WARNING)
                return NULL;

        text = strchr(end, ';');
        if (!text)
                return NULL;
        text++;
        text[strcspn(text, "\n")] = '\0';
        return *text ? text : NULL;
}

char *kmsg_last_complaint(int fd) {
        char record[8192]; /* the kernel's own limit of one record */
        char *last = NULL;

        if (fd < 0)
                return NULL;

        for (;;) {
                char *text, *copy;
                ssize_t n;

                n = read(fd, record, sizeof(record) - 1);
                if (n < 0 && errno == EPIPE) /* records were overwritten before we came to read them */
                        continue;
                if (n <= 0)
                        return last;

                record[n] = '\0';
                text = kmsg_complaint(record);
                copy = text ? strdup(text) : NULL;
                if (copy) {
                        free(last);
                        last = copy;
                }
        }
}
