/// What tenants take from each other: the time accounts of invocations and the matrix of who waited
/// for whom. Starting point: [io.headspan.agent.interference.TimeAccounts].
@NullMarked
package io.headspan.agent.interference;

import org.jspecify.annotations.NullMarked;
