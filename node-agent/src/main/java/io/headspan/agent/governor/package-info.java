/// Keeps the agent within its budgets of CPU and memory by lowering detail step by step. Starting
/// points: [io.headspan.agent.governor.Governor], which decides, and
/// [io.headspan.agent.governor.OwnUse], which measures.
@NullMarked
package io.headspan.agent.governor;

import org.jspecify.annotations.NullMarked;
