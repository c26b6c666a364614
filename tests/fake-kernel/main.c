/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The fake kernel's worker as a program. It serves one connection on file descriptor 3 (sd_listen_fds(3)) until its peer hangs
 * up, so it is started once per connection:
 *
 *      systemd-socket-activate --accept -l /run/test/socket -E FAKE_KERNEL=/run/test/state fake-kernel */

#include <glib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "serve.h"

int main(void) {
        const char *root = g_getenv("FAKE_KERNEL");

        if (!root || !g_file_test(root, G_FILE_TEST_IS_DIR))
                g_error("FAKE_KERNEL is not set to a directory");
        if (sd_listen_fds(true) != 1)
                g_error("Exactly one connection must be passed as file descriptor %d", SD_LISTEN_FDS_START);

        (void) umask(0022); /* configfs, too, can be looked at by everybody */
        fake_kernel_serve(SD_LISTEN_FDS_START, root);
        return EXIT_SUCCESS;
}
