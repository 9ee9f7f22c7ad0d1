// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Not a program: one global for each struct and enum of events.h, so that clang describes all of
 * them in this object's BTF, from which LayoutsMatchBtfTest learns sizes, offsets and values.
 */
#include "events.h"

struct http_exchange_event layout_http_exchange_event;
struct http_tail_event layout_http_tail_event;
struct http_head_part_event layout_http_head_part_event;
struct http_transcript_event layout_http_transcript_event;
struct http_bytes_event layout_http_bytes_event;
struct http_transcript_end_event layout_http_transcript_end_event;
struct exec_event layout_exec_event;
struct exit_event layout_exit_event;
struct cgroup_event layout_cgroup_event;
struct socket_left_event layout_socket_left_event;
struct account_wait layout_account_wait;
struct account_event layout_account_event;
struct matrix_key layout_matrix_key;
struct matrix_cell layout_matrix_cell;
struct tenant_entry layout_tenant_entry;

enum event_kind layout_event_kind;
enum http_role layout_http_role;
enum http_end layout_http_end;
enum http_flag layout_http_flag;
enum http_protocol layout_http_protocol;
enum http_direction layout_http_direction;
enum http_counter layout_http_counter;
enum lifecycle_counter layout_lifecycle_counter;
enum tenant_number layout_tenant_number;
enum account_cause layout_account_cause;
enum sched_counter layout_sched_counter;
