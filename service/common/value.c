/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/value.h"

int value_texts(ValueWriter *w, const char *const *texts, size_t n) {
        int r;

        r = value_open(w, 'a', "s");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = value_text(w, texts[i]);
        return r < 0 ? r : value_close(w);
}

int value_uint16s(ValueWriter *w, const uint16_t *values, size_t n) {
        int r;

        r = value_open(w, 'a', "q");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = value_uint16(w, values[i]);
        return r < 0 ? r : value_close(w);
}

int value_optional_text(ValueWriter *w, const char *text) {
        return value_texts(w, &text, text ? 1 : 0);
}

int value_optional_path(ValueWriter *w, const char *path) {
        int r;

        r = value_open(w, 'a', "o");
        if (r >= 0 && path)
                r = value_path(w, path);
        return r < 0 ? r : value_close(w);
}
