/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reading the project's XML files in tests: plain walks over elements, attributes and comments. */

#include <glib.h>
#include <libxml/tree.h>
#include <stdbool.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

/* Reads a file, without network, without DTD and without entities. Ends the test if it cannot be read or is not well-formed. */
xmlDoc *xml_read_file(const char *path);

/* The same for a text; NULL if it is not well-formed. */
xmlDoc *xml_read_text(const char *text);

/* The first child element, the next element after E; NULL if there is none. */
xmlNode *xml_first(const xmlNode *e);
xmlNode *xml_next(const xmlNode *e);

bool xml_is(const xmlNode *e, const char *name);

/* The attribute's value, owned by the document; NULL if E has none of that name. */
const char *xml_attribute(const xmlNode *e, const char *name);

/* The text of the comment that stands right before E with nothing but blanks between, owned by the document; else NULL. */
const char *xml_comment_before(const xmlNode *e);

/* The first child element of E with that name; NULL if there is none. Its text without blanks around it: xml_text() ("" of
 * NULL). */
xmlNode *xml_child(const xmlNode *e, const char *name);
char *xml_text(const xmlNode *e);

/* The child <annotation name=NAME value=…> of E: its value, else NULL. */
const char *xml_annotation(const xmlNode *e, const char *name);
