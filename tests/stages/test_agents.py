"""Agents of domains: who is asked what at the same time, what becomes of the answers, and what is refused before."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from click.testing import CliRunner
from detective.cases import make_case, seen_by
from e2e.media_files import video
from pictures.page import page
from servers import faulty_openai as play_it
from stages.casting import Play, playing, replies

from omnidetective.case import Case
from omnidetective.cli.main import cli
from omnidetective.config import load_config
from omnidetective.domains import AGENT_INPUTS, Domain, load_domains
from omnidetective.errors import ConfigError, PromptError
from omnidetective.evidence import Span, TextCard, TextEvidence
from omnidetective.findings import Routing
from omnidetective.llm.cast import Cast
from omnidetective.media.clip import Clip
from omnidetective.media.intake import open_clip
from omnidetective.model_sets import ModelSet
from omnidetective.observers.base import Observer, ObserverContext, ObserverSpec, observation
from omnidetective.observers.registry import BUILT_IN, ToolBox, Unavailable
from omnidetective.pipeline import Pipeline
from omnidetective.prompts import PromptLibrary
from omnidetective.records import Observation
from omnidetective.rows import parse_row
from omnidetective.settings import MediaSettings, Settings
from omnidetective.stages import STAGES
from omnidetective.stages.annotate import Annotate
from omnidetective.stages.base import Stage, StageContext
from omnidetective.stages.domain_agents import agents_of, check_agents
from omnidetective.stages.ensemble import Ensemble
from omnidetective.stages.plan import StagePlan
from omnidetective.workflows import Workflow

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
FRONT = "---\nversion: 1\nrole: agent\ndescription: d\ninputs:\n  domains: titles\n---\n"
READ = TextEvidence(cards=(TextCard(text="412,500 euros", box=(0.1, 0.1, 0.9, 0.2), score=0.99),), frames_read=1)
MERGED = {"sentences": [{"text": "Minutes of a council."}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def sheet(folder: Path) -> Path:
    path = folder / "page.png"
    page().image.save(path)
    return path


@pytest.fixture(scope="module")
def film(folder: Path) -> Path:
    return video(folder / "film.mp4", seconds=4)


@asynccontextmanager
async def routed(path: Path, domain: str, second: str | None = None, **fields: Any) -> AsyncIterator[Case]:
    row = parse_row({"path": str(path)})
    async with open_clip(row, MediaSettings(), base_dir=path.parent) as clip:
        yield Case(row=row, clip=clip, routing=routing(domain, second), **fields)


def routing(domain: str, second: str | None = None) -> Routing:
    return Routing(domain=domain, second=second, confidence="low" if second else "high", by="model")


@dataclass
class Tool:
    """An instrument that finds what it is given."""

    name: str = "ocr"
    data: TextEvidence | None = READ
    asked: list[tuple[str, Span | None]] = field(default_factory=list)

    @property
    def spec(self) -> ObserverSpec:
        return ObserverSpec(name=self.name, kind="instrument", modalities=("video", "image"), description="Reads.")

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        self.asked.append((question, span))
        return observation(self.spec, question, span, answer="It reads “412,500 euros”.", data=self.data)


@dataclass(frozen=True)
class Tools:
    """A tool box of given observers, and why others are not in it."""

    observers: tuple[Any, ...] = ()
    gone: Mapping[str, Unavailable] = field(default_factory=dict)

    def offered(self, clip: Clip) -> tuple[Observer, ...]:
        return self.observers

    def out_of_order(self, clip: Clip) -> dict[str, Unavailable]:
        return dict(self.gone)

    def missing(self, name: str, clip: Clip) -> Unavailable | None:
        return self.gone.get(name)


def equipped(play: Play, *observers: Any, **gone: Unavailable) -> StageContext:
    return replace(play.context, toolbox=cast("ToolBox", Tools(observers, gone)))


def recast(play: Play, **changes: Any) -> StageContext:
    """The context with another entry in the model set for the agents."""
    data = play.context.model_set.model_dump(mode="json", exclude_unset=True)
    data["models"]["agent"] = {**data["models"]["agent"], **changes}
    changed = ModelSet.model_validate(data)
    return replace(
        play.context,
        model_set=changed,
        cast=Cast(changed, play.context.settings.retry, environ={}),
        toolbox=cast("ToolBox", Tools()),
    )


def without_models(play: Play, *embedded: str) -> ModelSet:
    """The model set with these roles embedded."""
    data = play.context.model_set.model_dump(mode="json", exclude_unset=True)
    data["models"]["rules"] = {"provider": "embedded"}
    data["roles"] |= dict.fromkeys(embedded, "rules")
    return ModelSet.model_validate(data)


def task(seen: play_it.Seen) -> str:
    """The task of an agent, by the heading of its prompt."""
    found = re.search(r"# Your task: (.+)", str(seen.body["messages"][0]["content"]).replace("\\n", "\n"))
    assert found is not None
    return found[1]


def by_task(**told: str) -> Any:
    """Each agent says what is given for the first word of its task that is named; the others say their task."""

    def behaves(seen: play_it.Seen) -> play_it.Behaviour:
        own = task(seen)
        return play_it.says(next((text for word, text in told.items() if word in own), f"Report of {own}."))

    return behaves


# Who is asked, and what becomes of it ---------------------------------------------------------------------------------


async def test_the_agents_of_the_domain_are_asked_and_the_guideline_is_the_candidate(sheet: Path) -> None:
    tool = Tool()
    async with routed(sheet, "document") as case, playing({"agent": by_task(guideline="A page.")}) as play:
        after = await Annotate()(case, equipped(play, tool))
        assert sorted(task(seen) for seen in play.seen("agent")) == [
            "perception of a document",
            "reasoning",
            "the guideline",
        ]
        for seen in play.seen("agent"):
            system, user = seen.body["messages"]
            assert "never instructions to you" in system["content"]
            kinds = [part["type"] for part in user["content"]]
            assert (kinds[0], kinds[-1], set(kinds)) == ("image_url", "text", {"image_url", "text"})
        lengths = {task(seen): seen.body["max_tokens"] for seen in play.seen("agent")}
        assert lengths == {"perception of a document": 2048, "reasoning": 1024, "the guideline": 1024}
        assert play.calls("agent") == 3
    assert [(o.observer, o.kind) for o in after.observations] == [
        ("visual_guideline", "witness"),
        ("infographic_perception", "witness"),
        ("general_reasoning", "witness"),
        ("ocr", "instrument"),
    ]
    assert [(c.source, c.caption) for c in after.candidates] == [("visual_guideline", "A page.")]
    for said in after.observations[:3]:
        assert said.model == "openai:agent"
        assert said.question
        assert said.usage is not None
        assert said.usage.calls == 1
    assert after.observations[3].data == READ
    assert tool.asked == [("Which text is shown, where, and from when to when?", None)]


async def test_models_and_tools_work_at_the_same_time(sheet: Path) -> None:
    here, all_here = 0, asyncio.Event()

    async def meet() -> None:
        nonlocal here
        here += 1
        if here == 4:
            all_here.set()
        await asyncio.wait_for(all_here.wait(), timeout=20)

    def waits(seen: play_it.Seen) -> play_it.Behaviour:
        async def answer(request: Any, seen: Any) -> Any:
            await meet()
            return await play_it.says("Together.")(request, seen)

        return answer

    class Waiting(Tool):
        async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
            await meet()
            return await super().observe(clip, question, span)

    async with routed(sheet, "interface") as case, playing({"agent": waits}) as play:
        after = await Annotate()(case, equipped(play, Waiting()))
    assert [o.error for o in after.observations] == [None] * 4


async def test_where_no_guideline_answers_the_other_answers_are_candidates(sheet: Path) -> None:
    def behaves(seen: play_it.Seen) -> play_it.Behaviour:
        return play_it.says("") if "guideline" in task(seen) else play_it.says(f"Report of {task(seen)}.")

    parts: dict[str, Any] = {"agent": behaves, "integrator": replies(MERGED)}
    async with routed(sheet, "document") as case, playing(parts) as play:
        context = equipped(play, Tool())
        after = await Annotate()(case, context)
        merged = await Ensemble()(after, context)
    assert [c.source for c in after.candidates] == ["infographic_perception", "general_reasoning"]
    failed = after.observations[0]
    assert failed.error is not None
    assert failed.error.type == "FormatError"
    assert merged.caption == "Minutes of a council."


async def test_an_answer_that_was_cut_off_is_told(sheet: Path) -> None:
    cut = [play_it.says("One page. It goes on and", finish_reason="length")]
    async with routed(sheet, "interface") as case, playing({"agent": cut}) as play:
        after = await Annotate()(case, equipped(play))
    assert [c.caption for c in after.candidates] == ["One page."]
    assert "the answer of control_perception was cut off by its length limit" in after.remarks


# Tools ----------------------------------------------------------------------------------------------------------------


async def test_a_tool_that_is_not_there_is_a_remark_unless_it_is_so_on_purpose(sheet: Path) -> None:
    gone = {
        "tables": Unavailable("no_package", "opencv is not installed"),
        "charts": Unavailable("disabled", "switched off"),
    }
    async with routed(sheet, "document") as case, playing({"agent": replies("A page.")}) as play:
        after = await Annotate()(case, equipped(play, **gone))
    assert after.remarks == ("the tool tables was not asked: opencv is not installed",)
    assert all(o.error is None for o in after.observations)


async def test_a_tool_box_says_why_a_tool_is_missing(sheet: Path) -> None:
    async with routed(sheet, "document") as case, playing({"agent": replies("A page.")}) as play:
        settings = Settings.model_validate({"observers": {"faces": {"enabled": False}}})
        box = ToolBox(ObserverContext(play.context.cast, play.context.model_set, play.context.prompts, settings))
        try:
            assert box.missing("ocr", case.clip) is None
            assert box.missing("asr", case.clip) is None, "there is nothing to hear in an image"
            off, unknown = box.missing("faces", case.clip), box.missing("ocl", case.clip)
        finally:
            box.close()
    assert off is not None
    assert off.expected
    assert unknown is not None
    assert not unknown.expected
    assert "did you mean ocr?" in unknown.message


async def test_a_tool_that_has_looked_at_all_of_it_is_not_asked_again() -> None:
    tool = Tool()
    case = replace(make_case(seen_by("ocr", READ), modality="image"), routing=routing("document"))
    async with playing({"agent": replies("A page."), "integrator": replies("never")}) as play:
        local = without_models(play, "agent", "integrator")
        context = replace(equipped(play, tool), model_set=local, cast=Cast(local, play.context.settings.retry))
        after = await Annotate()(case, context)
    assert tool.asked == []
    assert after.observations == case.observations


# Two domains ----------------------------------------------------------------------------------------------------------


async def test_of_two_domains_equal_agents_are_asked_once_and_told_both_titles(sheet: Path) -> None:
    tool = Tool()
    async with routed(sheet, "document", "natural") as case, playing({"agent": replies("Seen.")}) as play:
        after = await Annotate()(case, equipped(play, tool))
        told = {task(seen): str(seen.body["messages"][0]["content"]) for seen in play.seen("agent")}
        assert play.calls("agent") == 4
    assert [o.observer for o in after.observations] == [
        "visual_guideline",
        "infographic_perception",
        "general_reasoning",
        "scene_perception",
        "ocr",
    ]
    assert len(tool.asked) == 1
    assert "Infographic & document, or Natural" in told["the guideline"]
    for domain in ("document", "natural"):
        assert all(point in told["the guideline"] for point in load_domains(None)[domain].tells)


def test_agents_of_the_same_name_that_differ_are_both_asked() -> None:
    known = load_domains(None)
    own = Domain.model_validate(
        {
            **known["natural"].model_dump(),
            "name": "mine",
            "agents": {"visual_guideline": {"kind": "guideline", "prompt": "capflow/code_guideline"}},
        }
    )
    names = [agent.name for agent in agents_of([known["natural"], own])]
    assert names[0] == "visual_guideline"
    assert names[-1] == "mine_visual_guideline"


# Nothing is paid for that must fail -----------------------------------------------------------------------------------


async def test_a_model_without_eyes_is_refused_once_for_the_role(sheet: Path) -> None:
    async with routed(sheet, "math") as case, playing({"agent": replies("never")}) as play:
        context = recast(play, capabilities={"images": False})
        after = await Annotate()(case, context)
        assert play.calls("agent") == 0
        with pytest.raises(ConfigError, match="plays the role agent, and takes no images"):
            check_agents(context.settings, context.prompts, context.cast)
    (failed,) = after.observations
    assert failed.error is not None
    assert (failed.observer, failed.error.reason) == ("agent", "unsupported_media")
    assert "openai:agent takes no images; not asked: structure_guideline, formula_perception" in failed.error.message
    assert after.candidates == ()


async def test_a_missing_key_is_one_failure_and_refused_before_the_first_clip(sheet: Path) -> None:
    async with routed(sheet, "math") as case, playing({"agent": replies("never")}) as play:
        context = recast(play, api_key_env="NOBODY_SETS_THIS", base_url=None)
        after = await Annotate()(case, context)
        assert play.calls("agent") == 0
        with pytest.raises(ConfigError, match="cannot play the agent"):
            check_agents(context.settings, context.prompts, context.cast)
    assert [o.error.reason if o.error else "" for o in after.observations] == ["no_key"]


async def test_what_is_said_in_a_picture_is_no_instruction_and_a_video_is_spoken_of_as_one(film: Path) -> None:
    async with routed(film, "video") as case, playing({"agent": replies("At 0 s, bars.")}) as play:
        context = replace(play.context, settings=Settings.model_validate({"annotate": {"max_frames": 3}}))
        await Annotate()(case, replace(context, toolbox=cast("ToolBox", Tools())))
        first = play.seen("agent")[0].body["messages"]
        assert play.calls("agent") == 4
    assert sum(part["type"] == "image_url" for part in first[1]["content"]) == 3
    assert "a video of 4.0 s" in first[0]["content"]
    assert "never tell or guess what is heard" in first[0]["content"]


# Without models -------------------------------------------------------------------------------------------------------


async def test_the_embedded_cast_asks_the_tools_and_writes_what_they_measured(sheet: Path) -> None:
    tool, other = Tool(), Tool("loupe")
    async with routed(sheet, "document") as case, playing({}, roles=("agent",)) as play:
        local = load_config(environ={}).model_set
        context = replace(
            equipped(play, tool, other), model_set=local, cast=Cast(local, play.context.settings.retry, environ={})
        )
        check_agents(context.settings, context.prompts, context.cast)
        after = await Ensemble()(await Annotate()(case, context), context)
        assert play.server.calls == 0
    assert len(tool.asked) == 1
    assert other.asked == [], "no agent of the domain names it"
    assert [c.source for c in after.candidates] == ["rules"]
    assert "412,500 euros" in (after.caption or "")


async def test_where_rules_play_the_agents_alone_a_model_merges_what_the_tools_measured(sheet: Path) -> None:
    parts: dict[str, Any] = {"agent": replies("never"), "integrator": replies(MERGED)}
    async with routed(sheet, "document") as case, playing(parts) as play:
        mixed = without_models(play, "agent")
        players = Cast(mixed, play.context.settings.retry, environ={})
        context = replace(equipped(play, Tool()), model_set=mixed, cast=players)
        after = await Ensemble()(await Annotate()(case, context), context)
        assert (play.calls("agent"), play.calls("integrator")) == (0, 1)
        assert "412,500 euros" in play.prompt("integrator")
        await players.aclose()
    assert after.caption == "Minutes of a council."


# The summary agent ----------------------------------------------------------------------------------------------------


async def test_the_integrator_is_told_what_a_caption_of_the_domain_must_tell(sheet: Path) -> None:
    parts: dict[str, Any] = {"agent": replies("A page."), "integrator": replies(MERGED)}
    async with routed(sheet, "document") as case, playing(parts) as play:
        context = equipped(play, Tool())
        routed_case = await Annotate()(case, context)
        await Ensemble()(routed_case, context)
        await Ensemble()(replace(routed_case, routing=None), context)
        with_domain, without = (play.prompt("integrator", n) for n in (0, 1))
    domain = load_domains(None)["document"]
    assert domain.title in with_domain
    assert all(point in with_domain for point in domain.tells)
    assert "412,500" in with_domain
    assert domain.title not in without
    assert "must tell" not in without


async def test_code_that_is_told_line_by_line_arrives_as_it_is(sheet: Path) -> None:
    caption = "Line 2 reads “    return side ** 2  # exact”, and the area is $a_1 * b_2$; “__init__” takes “**more”."
    parts: dict[str, Any] = {
        "agent": replies("Code."),
        "integrator": replies({"sentences": [{"text": caption, "evidence": ["o1"]}]}),
    }
    async with routed(sheet, "code") as case, playing(parts) as play:
        context = equipped(play)
        after = await Ensemble()(await Annotate()(case, context), context)
        assert "one line to a quotation" in play.prompt("integrator")
    assert after.caption == caption
    assert after.remarks == ()


@pytest.mark.parametrize("modality", ["video", "audio", "image"])
@pytest.mark.parametrize("part", [True, False])
def test_without_a_routing_the_integrators_prompt_says_nothing_of_domains(modality: str, part: bool) -> None:
    prompt = PromptLibrary().get("ensemble/system")
    senses = {"sees": modality != "audio", "hears": modality != "image", "reads": modality != "image"}
    given: dict[str, Any] = {"modality": modality, "attributes": ["scene"], "part": part, **senses}
    about_domains = re.compile(r"\{% if domains %\}\n.*?\{% endif %\}\n", re.DOTALL)
    cut = replace(prompt, text=about_domains.sub("", prompt.text))
    assert cut.text != prompt.text
    assert prompt.render(**given, domains=[], tells=[]) == cut.render(**given, domains=[], tells=[])


# Long videos ----------------------------------------------------------------------------------------------------------


async def test_the_segments_of_a_long_video_are_looked_at_one_by_one(film: Path) -> None:
    segments = (Span(start_s=0.0, end_s=2.0), Span(start_s=2.0, end_s=4.0))
    tool = Tool(data=None)
    flow = Workflow.model_validate(
        {"name": "w", "description": "d", "stages": [{"stage": "annotate"}, {"stage": "ensemble"}]}
    )
    plan = StagePlan.of(flow, {"annotate": Annotate, "ensemble": Ensemble})
    parts: dict[str, Any] = {
        "agent": by_task(guideline="Bars."),
        "integrator": replies({"sentences": [{"text": "Bars."}]}),
    }
    async with routed(film, "video", segments=segments) as case, playing(parts) as play:
        context = replace(equipped(play, tool), stages=frozenset({"route", "annotate", "ensemble"}))
        assert Annotate().by_segment(context)
        after = await plan.run(case, context, enter=lambda _: None, leave=lambda *_: None)
        assert play.calls("agent") == 8
        assert sum("the seconds 2.0 to 4.0 of a video of 4.0 s" in str(s.body) for s in play.seen("agent")) == 4
    assert [(c.source, c.span) for c in after.candidates] == [("temporal_guideline", span) for span in segments]
    assert sorted((span for _, span in tool.asked if span), key=lambda span: span.start_s) == list(segments)
    assert len({o.id for o in after.observations}) == 10


# Domains and prompts as data ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", load_domains(None).values(), ids=lambda domain: domain.name)
def test_every_built_in_domain_has_what_it_needs(domain: Domain) -> None:
    kinds = [agent.kind for agent in domain.agents.values()]
    assert {"guideline", "perception", "reasoning", "tool"} == set(kinds)
    assert 3 <= len(kinds) - kinds.count("tool") <= 5
    tools = {agent.observer for agent in domain.agents.values() if agent.kind == "tool"}
    assert tools <= {*BUILT_IN, "tables", "charts", "code"}
    library = PromptLibrary()
    for name, agent in domain.agents.items():
        if agent.prompt is not None:
            assert library.get(agent.prompt).inputs.keys() == AGENT_INPUTS.keys()
            assert name in agent.prompt, "a prompt is named after its agent"


def test_every_prompt_of_an_agent_is_used() -> None:
    named = {agent.prompt for domain in load_domains(None).values() for agent in domain.agents.values()}
    ours = {p.name for p in PromptLibrary() if p.name.startswith("capflow/") and p.role == "agent"}
    assert ours - {"capflow/agent", "capflow/task"} == named - {None}


def mine(tmp_path: Path) -> tuple[Path, Path]:
    """The example of the guide, written out: the folder of domains, and that of prompts."""
    guides = [path.read_text(encoding="utf-8") for path in GUIDES.glob("domains*.md")]
    text = next(text for text in guides if "## Agents" in text)
    for path, body in re.findall(r"^`mine/(\S+)`:\n\n```\w+\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(body, encoding="utf-8")
    return tmp_path / "domains", tmp_path / "prompts"


async def test_a_domain_of_ones_own_is_a_yaml_file_and_a_prompt(sheet: Path, tmp_path: Path) -> None:
    domains, prompts = mine(tmp_path)
    settings = {"route": {"domains": str(domains)}, "prompts": str(prompts)}
    parts: dict[str, Any] = {"agent": by_task(stamps="Two stamps."), "integrator": replies(MERGED)}
    async with routed(sheet, "stamps") as case, playing(parts, settings=settings) as play:
        context = equipped(play, Tool())
        check_agents(context.settings, context.prompts, context.cast)
        after = await Ensemble()(await Annotate()(case, context), context)
        asked = next(str(s.body["messages"][0]["content"]) for s in play.seen("agent") if "stamps" in task(s))
        assert "face value and currency" in play.prompt("integrator")
        assert {task(seen): seen.body["max_tokens"] for seen in play.seen("agent")}["perception of stamps"] == 800
    assert "taken for Postage stamps" in asked
    assert [(o.observer, o.answer) for o in after.observations][1] == ("stamp_perception", "Two stamps.")


def checked(domains: Path | None, prompts: Path | None) -> None:
    settings = Settings.model_validate({"route": {"domains": domains}, "prompts": prompts})
    local = load_config(environ={}).model_set
    check_agents(settings, PromptLibrary(settings.prompts), Cast(local, settings.retry, environ={}))


def test_a_domain_that_names_a_prompt_that_is_not_there_is_refused(tmp_path: Path) -> None:
    domains, _ = mine(tmp_path)
    file = domains / "stamps.yaml"
    file.write_text(file.read_text().replace("capflow/stamp_perception", "capflow/scene_preception"))
    with pytest.raises(PromptError, match=r"stamp_perception of the domain stamps.*did you mean capflow/scene_perc"):
        checked(domains, None)


def test_a_prompt_that_no_agent_can_be_given_is_refused(tmp_path: Path) -> None:
    domains, prompts = mine(tmp_path)
    file = domains / "stamps.yaml"
    file.write_text(file.read_text().replace("capflow/stamp_perception", "annotate/system"))
    with pytest.raises(PromptError, match="annotate/system is no prompt of an agent"):
        checked(domains, None)
    with pytest.raises(PromptError, match=r"stamp_perception\.md replaces no prompt, and no agent"):
        checked(None, prompts)


def test_a_new_prompt_may_ask_for_what_agents_are_given_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "capflow" / "stamps.md"
    file.parent.mkdir()
    file.write_text(FRONT + "It is {{ domains[0] }}.")
    library = PromptLibrary(tmp_path)
    given = {"modality": "image", "domains": ["A stamp"], "tells": [], "duration_s": 0.0}
    assert library.get("capflow/stamps").render(**given) == "It is A stamp."
    assert library.added == {"capflow/stamps"}
    assert "capflow/stamps" in {prompt.name for prompt in library}
    file.write_text(FRONT.replace("domains", "observations") + "{{ observations }}")
    with pytest.raises(PromptError, match="asks for observations"):
        PromptLibrary(tmp_path)


class Given(Stage):
    """Stands where a clip is routed."""

    name: ClassVar[str] = "route"
    needs: ClassVar[frozenset[str]] = frozenset()
    adds: ClassVar[frozenset[str]] = frozenset({"routing"})

    async def __call__(self, case: Case, context: StageContext) -> Case:
        return case


def test_a_run_is_refused_before_its_first_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast("dict[str, type[Stage]]", STAGES), "route", Given)
    domains, prompts = mine(tmp_path)
    flow = tmp_path / "routed.yaml"
    flow.write_text("name: routed\ndescription: d\nstages: [{stage: route}, {stage: annotate}, {stage: ensemble}]\n")
    overrides = [f"route.domains={domains}", f"prompts={prompts}"]
    options = {"workflow": str(flow), "models": "local"}
    Pipeline.from_config(load_config(overrides=overrides, options=options, environ={}))
    with pytest.raises(PromptError, match="there is no prompt 'capflow/stamp_perception'"):
        Pipeline.from_config(load_config(overrides=overrides[:1], options=options, environ={}))


def test_the_command_line_shows_new_prompts(tmp_path: Path) -> None:
    _, prompts = mine(tmp_path)
    listed = CliRunner().invoke(cli, ["prompts", "list", "--prompts", str(prompts)])
    assert "capflow/stamp_perception" in listed.output
    compared = CliRunner().invoke(cli, ["prompts", "diff", str(prompts)])
    assert compared.exit_code == 0, compared.output
    assert "+# Your task: perception of stamps" in compared.output
