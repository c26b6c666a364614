/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A worker of org.iscsi.Backend on the fake kernel in the directory ROOT: serves the connection FD until its peer hangs up. It
 * behaves as fake-kernel.h tells. */
void fake_kernel_serve(int fd, const char *root);
