/// The books of the agent: everything captured is exported or counted by the reason why it was not.
@NullMarked
package io.headspan.agent.ledger;

import org.jspecify.annotations.NullMarked;
