"""The agents of a training: who is there, who waits for work, and who was not heard of for too long."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tinderbox.training.driver.messages import Join


@dataclass
class Agent:
    """One agent; `waits` says that it has no worker, since `joined`, and `request` is its newest one."""

    name: str
    node: str
    host: str
    address: str
    joined: float
    heard: float
    request: int = 0
    waits: bool = True


@dataclass
class Crew:
    """Agents by their names."""

    agents: dict[str, Agent] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    """The names of all that have ever joined."""

    def join(self, ask: Join, now: float) -> Agent:
        """Note that an agent is there and waits for work, and return it."""
        agent = self.agents.get(ask.agent)
        if agent is None:
            agent = self.agents[ask.agent] = Agent(ask.agent, ask.node, ask.host, ask.address, now, now)
            self.known.add(task_of(ask.agent))
        elif not agent.waits:
            agent.joined = now
        agent.waits, agent.address, agent.heard = True, ask.address, now
        agent.request = max(agent.request, ask.request)
        return agent

    def hear(self, name: str, now: float) -> None:
        """Note that an agent lives."""
        if (agent := self.agents.get(name)) is not None:
            agent.heard = now

    def of_task(self, name: str) -> list[Agent]:
        """Return the agents of a task, however often Spark has begun it anew."""
        return [agent for agent in self.agents.values() if task_of(agent.name) == task_of(name)]

    def drop(self, name: str) -> Agent | None:
        """Forget an agent, and return it if it was there."""
        return self.agents.pop(name, None)

    def on(self, host: str) -> list[Agent]:
        """Return the agents on a machine, or in a pod."""
        return [agent for agent in self.agents.values() if agent.host == host]

    def waiting(self) -> list[Agent]:
        """Return those that wait for work, in the order of their numbers."""
        return sorted((agent for agent in self.agents.values() if agent.waits), key=lambda agent: number_of(agent.name))

    def silent(self, now: float, limit: float) -> list[Agent]:
        """Return those that were not heard of for longer than `limit` seconds."""
        return [agent for agent in self.agents.values() if now - agent.heard > limit]

    def forgive(self, seconds: float, now: float) -> None:
        """Take a time in which nobody could be heard, since the driver stood still, for none."""
        for agent in self.agents.values():
            agent.heard, agent.joined = min(agent.heard + seconds, now), min(agent.joined + seconds, now)


def task_of(name: str) -> str:
    """Return the name of the task that an agent is, without what counts how often Spark has begun it anew by itself."""
    return name.partition("+")[0]


def repetition_of(name: str) -> int:
    """Return how often Spark has begun an agent's task anew by itself."""
    return int(name.partition("+")[2] or 0)


def number_of(name: str) -> tuple[int, str]:
    """Return what sorts agents: the number in a name such as `agent-3.1`, and the name."""
    found = re.search(r"\d+", name)
    return int(found[0]) if found else 0, name
