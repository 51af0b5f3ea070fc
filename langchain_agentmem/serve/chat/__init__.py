"""`agentmem chat`: talk to an agent that remembers, across threads and restarts.

`model` says who answers, `agent` how, `talk` leads the conversation, `slash` holds its commands, `view` shows it.
"""

from langchain_agentmem.serve.chat.model import Speaker, choose_speaker
from langchain_agentmem.serve.chat.talk import Talk
from langchain_agentmem.serve.chat.view import JsonView, TextView, View

__all__ = ["JsonView", "Speaker", "Talk", "TextView", "View", "choose_speaker"]
