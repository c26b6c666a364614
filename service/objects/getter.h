/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the rows' files share. */

#include "objects/objects.h"

/* A getter that writes one value of O, which is the object as TYPE: DEFINE_GETTER(get_name, Node, value_text, o->name). */
#define DEFINE_GETTER(name, type, write, ...)                                                          \
        static int name(const Object *object, _unused_ const ObjectContext *context, ValueWriter *w) { \
                _unused_ const type *o = (const type *) object;                                        \
                                                                                                       \
                return write(w, __VA_ARGS__);                                                          \
        }

/* first() and next() of a kind whose objects stand below the root: DEFINE_ENUMERATION(Node, node). */
#define DEFINE_ENUMERATION(type, name)                            \
        static Object *first(Model *m, _unused_ Object *parent) { \
                return (Object *) model_first_##name(m);          \
        }                                                         \
                                                                  \
        static Object *next(Object *o) {                          \
                return (Object *) ((type *) o)->hh.next;          \
        }

/* Ports that bind to an endpoint, into an array of paths that is open. */
int write_bound_ports(ValueWriter *w, const Binding *list);

/* The set of ROLE_BIT()s as aq, ascending. */
int write_roles(ValueWriter *w, unsigned roles);

/* EnabledState, OperationalStatus and StatusDescriptions of a state. */
int write_enabled_state(ValueWriter *w, ObjectState state);
int write_operational_status(ValueWriter *w, ObjectState state);
int write_status_descriptions(ValueWriter *w, ObjectState state, const char *description);
