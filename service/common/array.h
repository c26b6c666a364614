/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Arrays that grow. */

#include <errno.h>
#include <stdlib.h>

/* Makes room for one more element of SIZE bytes behind the N that *ARRAY (NULL for none) has; ARRAY is the address of the
 * pointer. The room is doubled whenever N is a power of two, so nobody has to keep its size; an array that grows so must do so
 * from its first element on. Returns 0, or -ENOMEM with the array as it was. */
static inline int array_grow(void *array, size_t n, size_t size) {
        void **p = array, *q;

        if (n & (n - 1))
                return 0;

        q = reallocarray(*p, n ? 2 * n : 1, size);
        if (!q)
                return -ENOMEM;

        *p = q;
        return 0;
}
