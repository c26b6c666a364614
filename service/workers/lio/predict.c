/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/predict.h"

#include <string.h>
#include <sys/socket.h>

#include "common/macro.h"

/* The kernel's comparison as data: which bytes of the two socket addresses it holds against each other, by the family of the new
 * one. What a family does not use of its socket address is zero. (iscsit_check_np_match()) */
static const struct {
        int family;
        size_t offset, size;
} compared_bytes[] = {
        { AF_INET, offsetof(struct sockaddr_in, sin_addr), sizeof(struct in_addr) },
        { AF_INET6, offsetof(struct sockaddr_in6, sin6_addr), sizeof(struct in6_addr) },
};

/* The socket address that the kernel keeps of a portal. */
static void portal_to_record(const Portal *p, struct sockaddr_storage *ret) {
        *ret = (struct sockaddr_storage){};

        if (p->address.family == AF_INET) {
                struct sockaddr_in *in = (struct sockaddr_in *) ret;

                in->sin_family = AF_INET;
                in->sin_port = htons(p->port);
                in->sin_addr = p->address.in;
        } else {
                struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) ret;

                in6->sin6_family = AF_INET6;
                in6->sin6_port = htons(p->port);
                in6->sin6_addr = p->address.in6;
        }
}

bool portal_kernel_equal(const Portal *a, const Portal *b) {
        struct sockaddr_storage x, y;

        if (a->port != b->port)
                return false;

        portal_to_record(a, &x);
        portal_to_record(b, &y);

        for (size_t i = 0; i < ELEMENTSOF(compared_bytes); i++)
                if (compared_bytes[i].family == a->address.family)
                        return memcmp((const char *) &x + compared_bytes[i].offset, (const char *) &y + compared_bytes[i].offset,
                                      compared_bytes[i].size) == 0;

        return false;
}

bool portal_overlaps(const Portal *a, bool a_v6_only, const Portal *b, bool b_v6_only) {
        bool any_a = ip_address_is_wildcard(&a->address), any_b = ip_address_is_wildcard(&b->address);

        if (a->port != b->port || portal_compare(a, b) == 0)
                return false;

        if (a->address.family == b->address.family)
                return any_a || any_b;

        if (a->address.family == AF_INET6)
                return any_a && !a_v6_only;
        return any_b && !b_v6_only;
}

/* Within a node the kernel refuses whatever it takes for the same, be there a socket or not. */
static Prediction predict_in_node(const Portal *portal, uint32_t ifindex, uint16_t tag, bool v6_only, const LioNode *node,
                                  const LioPortal *except) {
        Prediction found = {};

        for (size_t i = 0; i < node->n_ports; i++)
                for (size_t k = 0; k < node->ports[i].n_portals; k++) {
                        const LioPortal *p = node->ports[i].portals + k;
                        Prediction here = { .port = node->ports + i, .portal = p };

                        if (p == except || p->portal.address.family == 0)
                                continue;

                        if (lio_portal_is(p, portal, ifindex)) {
                                here.refusal = REFUSAL_TCP_IN_USE;
                                return here;
                        }
                        if (portal_kernel_equal(portal, &p->portal)) {
                                here.refusal = REFUSAL_PORTAL_SHADOWED;
                                found = here;
                        } else if (p->fresh && portal_overlaps(portal, v6_only, &p->portal, v6_only) &&
                                   found.refusal == REFUSAL_NONE) {
                                /* One that is older has its socket among the listeners, or none. */
                                here.refusal = REFUSAL_ADDRESS_OVERLAP;
                                found = here;
                        }
                }

        return found;
}

static Refusal judge_listener(const Listener *l, const Portal *portal, uint32_t ifindex, bool v6_only) {
        Portal existing = listener_portal(l, NULL);

        if (l->of_target && portal_kernel_equal(portal, &existing))
                return REFUSAL_PORTAL_SHADOWED;
        if (listener_conflicts(l, portal, ifindex, v6_only))
                return l->of_target ? REFUSAL_ADDRESS_OVERLAP : REFUSAL_ADDRESS_IN_USE;

        return REFUSAL_NONE;
}

Prediction portal_predict(const Portal *portal, uint32_t ifindex, uint16_t tag, bool v6_only, const LioNode *node,
                          const LioPortal *except, const Listeners *listeners) {
        static const Refusal worst_first[] = { REFUSAL_PORTAL_SHADOWED, REFUSAL_ADDRESS_OVERLAP, REFUSAL_ADDRESS_IN_USE };
        const Listener *exact = listeners_find(listeners, portal, ifindex);
        Prediction found;

        found = predict_in_node(portal, ifindex, tag, v6_only, node, except);
        if (found.refusal == REFUSAL_TCP_IN_USE || found.refusal == REFUSAL_PORTAL_SHADOWED)
                return found;

        /* A portal with a socket of its own is older than any that the kernel could confuse with it, so the kernel finds it
         * first. */
        if (exact && !exact->ignored)
                return (Prediction){ .shared = true, .listener = exact };
        if (found.refusal != REFUSAL_NONE)
                return found;

        for (size_t i = 0; i < ELEMENTSOF(worst_first); i++)
                for (size_t k = 0; k < listeners->n; k++)
                        if (!listeners->items[k].ignored &&
                            judge_listener(listeners->items + k, portal, ifindex, v6_only) == worst_first[i])
                                return (Prediction){ .refusal = worst_first[i], .listener = listeners->items + k };

        return (Prediction){};
}

int portal_compare_for_making(const void *a, const void *b) {
        const Portal *x = a, *y = b;
        bool any_x = ip_address_is_wildcard(&x->address), any_y = ip_address_is_wildcard(&y->address);

        if (any_x != any_y)
                return any_x ? -1 : 1;

        return portal_compare(x, y);
}
