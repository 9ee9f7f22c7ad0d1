package io.headspan.agent.identity;

/// What [Identities] knows of an instance at the moment.
public sealed interface Lookup permits Identity, NoIdentity {}
