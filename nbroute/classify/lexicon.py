"""The words that the rules know: what they are asked to do, about what, and how much of it.

`_` stands for a space and a final `*` for any ending. Words are in lower case, in English,
German, Spanish, French and Hindi; Chinese has no word boundaries and a list of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Task:
    """A family of tasks: where its plainest member lies from 0 to 1, what moves it, how surely.

    `stretch` is how much topic, rigour and requirements move it.
    """

    base: float
    stretch: float
    trust: float


#: SIMPLE ends at 0.25, MEDIUM at 0.5, COMPLEX at 0.75.
TASKS = {
    "greeting": Task(0.03, 0.0, 0.95),
    "lexical": Task(0.07, 0.0, 0.92),
    "trivial": Task(0.12, 0.15, 0.8),
    "lookup": Task(0.12, 0.15, 0.88),
    "yes_no": Task(0.14, 1.0, 0.8),
    "what_is": Task(0.17, 0.6, 0.75),
    "what": Task(0.22, 0.9, 0.6),
    "how": Task(0.36, 0.6, 0.75),
    "why": Task(0.38, 1.0, 0.75),
    "transform": Task(0.35, 0.25, 0.85),
    "suggest": Task(0.36, 0.45, 0.75),
    "explain": Task(0.37, 0.4, 0.8),
    "write": Task(0.38, 0.5, 0.75),
    "choice": Task(0.34, 0.4, 0.5),
    "translate": Task(0.33, 0.3, 0.7),
    "unknown": Task(0.36, 0.6, 0.45),
    "small_code": Task(0.38, 0.3, 0.75),
    "show": Task(0.37, 0.4, 0.6),
    "should": Task(0.3, 0.5, 0.6),
    "identify": Task(0.4, 0.5, 0.6),
    "what_if": Task(0.56, 0.6, 0.7),
    "plan": Task(0.54, 0.5, 0.75),
    "long_form": Task(0.6, 0.5, 0.8),
    "reason": Task(0.58, 0.3, 0.85),
    "solve": Task(0.58, 0.6, 0.75),
    "analyse": Task(0.58, 0.55, 0.8),
    "design": Task(0.56, 1.0, 0.75),
    "code": Task(0.58, 0.8, 0.8),
    "research": Task(0.82, 0.4, 0.8),
    "prove": Task(0.88, 0.2, 0.9),
}

#: English verbs count only where an instruction can begin: most of them are nouns elsewhere.
_IMPERATIVES = {
    "prove": "prove disprove derive deduce",
    "research": "research investigate synthesise synthesize survey red_team reverse_engineer",
    "design": "design architect migrate re_architect",
    "code": "implement refactor debug optimise optimize program code parallelise parallelize port",
    "analyse": """analyse analyze compare contrast evaluate assess critique criticise criticize
        discuss argue debate weigh forecast diagnose examine judge appraise review reconcile
        interpret lay_out make_the_case walk_through""",
    "plan": "plan strategise strategize negotiate",
    "solve": "solve compute determine integrate differentiate minimise minimize maximise",
    "write": """write draft compose create build develop make generate construct prepare produce
        invent author devise""",
    "transform": """summarise summarize sum_up condense shorten simplify extract rewrite rephrase
        reword paraphrase proofread edit polish turn fill outline adapt complete""",
    "explain": """explain understand describe clarify illustrate elaborate teach walk_me_through
        help_me_understand give_an_overview introduce show_me_how""",
    "suggest": "suggest recommend brainstorm propose advise share",
    "identify": "identify find categorise categorize work_out figure_out locate calculate fix",
    "show": "show",
    "trivial": """convert count sort format reformat rename capitalise capitalize round
        alphabetise alphabetize reverse remove replace delete label tag list name give
        repeat print classify put correct order add""",
    "translate": "translate",
    "lexical": "define spell pronounce conjugate hyphenate",
}

#: Words and phrases that say it wherever they stand.
_ANYWHERE = {
    "prove": """show_that demonstrate_that give_a_proof rigorous_proof lower_bound_on
        formally_verify first_principles find_all_functions beweis* herleit* leite_die
        zeige_dass zeige,_dass demuestr* demostr* démontre* prouve* montre_que montrez_que
        सिद्ध साबित प्रमाणित""",
    "research": """literature_review systematic_review state_of_the_art open_problem
        open_problems open_questions research_agenda autonomous_agent autonomously
        survey_paper state_of_research multi_agent penetration_test erforsch* recherchier* stand_der_forschung gesamte_forschung
        forschungsstand investiga estado_del_arte revue_de_la_littérature
        revue_complète état_de_l'art शोध अनुसंधान परिकल्पना""",
    "design": "entwirf* entwerf* konzipier* diseñ* conçoi* concev* डिज़ाइन डिजाइन वास्तुकला",
    "code": """implementier* programmier* optimier* implementa* refactoriza* optimiza*
        implément* debugg*""",
    "analyse": """pros_and_cons trade_offs tradeoffs advantages_and_disadvantages
        strengths_and_weaknesses root_cause analysier* vergleich* bewert* beurteil* diskutier*
        erörter* analiz* compara comparar compare_con evalú* discut* vor_und_nachteil*
        ventajas_y_desventajas avantages_et_inconvénients évalu* विश्लेषण तुलना मूल्यांकन
        फायदे_और_नुकसान untersuch*""",
    "plan": "business_plan training_plan action_plan lesson_plan study_plan",
    "write": """schreib* verfass* erstell* formulier* entwickl* escrib* redact* crea desarroll*
        écri* rédig* crée* développ* लिखिए लिखो लिखें लिखिये लिख बनाइए बनाओ बनाएं""",
    "transform": """tl;dr summary_of fasse zusammenfass* umschreib* kürze* extrahier* resum*
        extrae reescrib* résum* extrai* reformul* réécri* सारांश संक्षेप""",
    "explain": """erklär* beschreib* erläuter* explic* explíc* describ* expliqu* décri*
        difference_between differences_between unterschied diferencia différence समझाइए
        समझाओ समझाएं वर्णन अंतर main_causes""",
    "suggest": """tips advice ways_to examples_of consejos conseils tipps ratschläge ideas ideen idées sugier* recomiend* suggèr* recommand* empfiehl*
        schlage सुझाव सुझाइए""",
    "yes_no": "est_elle est_il sont_elles sont_ils peut_on a_t_il a_t_elle ist_es existe_t_il",
    "show": "zeige zeigen_sie muestra montre montrez दिखाइए",
    "why": "क्यों",
    "how": "कैसे",
    "what_is": "क्या_है क्या_होता",
    "lookup": "कौन किसने कब कहाँ कहां कितना कितने कितनी कौनसा किस_वर्ष",
    "solve": "solve_for löse resuelv* résou* हल berechn* calcul*",
    "identify": "finde finden_sie encuentra encuentre trouve corrig* behebe* arregla खोजिए",
    "lexical": """how_do_you_say wie_sagt_man cómo_se_dice se_dice dit_on großbuchstaben
        uppercase mayúsculas majuscules pluriel plural_von plural_de féminin upper_case synonym synonyms antonym plural_of rhymes_with rhyme_with stand_for
        stands_for abbreviation past_tense the_word_for capital_letters übersetz*
        buchstabier* bedeutet heißt bedeutung significa sinónimo deletrea
        veut_dire signifie अर्थ मतलब वर्तनी meaning_of french_word""",
    "translate": "übersetz* traduc* traduz* tradui* अनुवाद translat*",
    "trivial": """sortier* konvertier* nenne nenn ordena convierte converti* trie_les nomme
        yes_or_no true_or_false ja_oder_nein sí_o_no oui_ou_non हाँ_या_नहीं""",
}

#: What is asked for or about.
_TOPICS = {
    "short_text": """email mail note message tweet caption haiku limerick slogan headline card
        sentence reply invitation reminder title blurb description paragraph post letter bio joke riddle toast carta mensaje lettre message carte carta निमंत्रण nachricht correo
        mensaje courriel पत्र absage apology""",
    "plan_thing": """plan strategy model roadmap syllabus concept konzept framework budget schedule
        policy strategie estrategia stratégie plans spreadsheet योजना""",
    "long_text": """essay memo story speech article report proposal chapter screenplay script_for
        memoir whitepaper sonnet poem dialogue play esay essey aufsatz bericht geschichte rede ensayo cuento
        informe dissertation récit rapport discours निबंध कहानी लेख curriculum feature""",
    "book": "novel thesis monograph survey_paper textbook roman novela grant_application",
    "code_thing": """function class script program programm programme programa función algorithm
        api app application parser website webpage bot scraper cli component endpoint module
        library python javascript typescript java rust golang c++ react django fastapi pandas
        command_line_tool unit_tests test_suite प्रोग्राम पायथन code bug segfault crashes
        stack_trace compiler fehler bogue* error_handling binary_tree linked_list
        array arrays sorted_array o(log o(n o(1 workflow कोड वेबसाइट web_page goroutine* pull_request
        aplicación anwendung deadlock* abfrage consulta requête""",
    "small_code_thing": """sql query queries regular_expression regex one_liner one_line sql_query docstring
        docstrings list_comprehension snippet""",
    "system": """system systems platform platforms architecture architektur arquitectura database
        protocol infrastructure plattform plataforma plateforme sistema système operating_system
        pipeline services microservices monolith compiler garbage_collector consensus raft paxos
        store queue प्रणाली library engine""",
    "scale": """distributed fault_tolerant fault_tolerance scalable globally latency lock_free
        linearizable linearizability replication partitions resharding zero_downtime
        without_downtime no_downtime high_availability highly_available failover recovery
        exactly_once residency throughput redundancy real_time millions
        verteilt* ausfallsicher* hochverfügbar* ohne_unterbrechung unterbrechung distribuid*
        tolerante latencia distribué* chiffrement tolérant* haute_disponibilité reprise
        वितरित सहिष्णु multi_region multi_tenant byzantine compliance conformité cumplimiento
        formal_guarantees snapshots zero_trust disaster end_to_end per_second concurrent""",
    "theory": """theory hypothesis mechanism conjecture theorem scheme paradigm signature_scheme
        theorie teoría théorie hypothese hipótesis hypothèse experiment experiments सिद्धांत
        परिकल्पना""",
    "maths": """integer integers odd even f polynomial* bounded constant convergent diverg* converg*
        divisible continuous prime primes graph matrix group subgroup ring vector compact sequence
        series modulo arbitrary holomorphic entire abelian finite bijection injective convex
        irrational equations ecuaciones gleichungen équations spanning_tree* lattice reihe folge
        serie suite sucesión infinité zahlen nombres números let induction""",
    "logic": """lie lies liar liars knight knave truth_teller taller older younger left_of right_of
        father mother brother sister next_to opposite shadow facing statement statements true false
        uncertain sits ahead behind weighings jugs""",
    "science": """theory hypothesis mechanism experiment experiments clinical_trial
        protocol causal identification falsify falsifiable falsification predictions
        testable equations governing_equations path_integral superconductivity
        reinforcement_learning peer_reviewed evidence confounders endpoints mathematical
        theorem lemma conjecture teoría théorie theorie quantum meta_analysis
        सिद्धांत widersprüche contradict conflicting contradictoires""",
    "rigour": """rigorous rigorously formally formal novel comprehensive exhaustive exhaustively
        worst_case optimal asymptotic complexity provably thorough thoroughly
        all_known uncertainty umfassend systematisch riguros* exhaustiv*
        rigoureu* विस्तृत गहन from_scratch a_fondo sources""",
    "depth": """step_by_step in_depth in_detail detailed justify justification argue_both
        reasoning assumptions edge_cases unit_tests with_tests schritt_für_schritt paso_a_paso
        étape_par_étape ausführlich detallad* détaillé* implications consequences""",
    "easing": """briefly brief short quick quickly simple one_sentence two_sentences one_line
        one_word single_word in_a_line a_few_sentences two_lines plain_english two_line kurz*
        breve brièvement court courte छोटा संक्षिप्त""",
    "open_problem": """np bpp pspace exptime riemann* goldbach collatz perfect_numbers twin_prime* two_primes
        free_will freien_willen freier_wille freie_wille willensfreiheit libre_albedrío libre_arbitre conscious consciousness sentient
        one_way_functions continuum_hypothesis dark_matter dark_energy big_bang
        origin_of_life life_start something_rather nothingness quantum_gravity
        arrow_of_time meaning_of_life qualia theory_of_everything moral* morality
        simulation_hypothesis superintelligen* agi bewusstsein bewußtsein conciencia
        conscience चेतना abiogenesis yang_mills navier_stokes hard_problem nichts
        rien néant instead_of_nothing in_lugar_de_nada lugar_de_nada कुछ_न_होने causality
        mathematics_invented discovered_or_invented invented_or_discovered protein_folding
        have_a_direction objective ethics multiverse self_aware singularity""",
    "deep": """quine interpreter halting turing undecidable decidable gödel godel incompleteness
        infinite infinitely infinity prime primes theorem irrational transcendental
        polynomial convergent converge converges bounded monotone continuous differentiable
        planar graph manifold homotopy topology isomorphic eigenvalue* countable uncountable
        abzählbar unendlich* infinito* infini infinis primos primzahl* premiers axiom axioms
        lossless compress* compressor kolmogorov consensus byzantine partition
        consistent linearizable deadlock lock_free entropy relativity quantum paradox
        self_reference recursive cryptograph* zero_knowledge encryption perfect_chess chess_engine
        trisect ruler_and_compass voting_system game_theory nash equilibrium sorting_algorithm
        comparison_sort black_hole* spacetime faster_than_light antimatter thermodynamic*
        अनंत अभाज्य perpetual_motion epistemolog* ontolog* metaphysic* determinism determinist*
        blockchain neural_network* backpropagation gradient_descent type_system monad
        halteproblem complexity_class* hash_collision* algorithm algorithms string_theory wave_function entangle* mechanics
        gravity gravitation photon* electron* neutrino* symmetry vacuum particle* fundamental_constants
        constants speed_of_light conjecture lemma automaton automata np_hard np_complete oracle
        lambda_calculus bijection cardinality subset modulo matrix eigenvector* gradient integral
        convex diverg* divergent polynomials primality factoring factori* set_of_all_sets
        self_referential fixed_point superposition decoherence renormali* genome mutation*
        natural_selection speciation aging senescence antibiotic_resistance dark_age
        ship_of_theseus trolley utilitarian* epistem* solipsis* dualism materialism""",
    "abstract": """knowledge circularity contradiction program programs identity self meaning time universe universo univers universum existence exist exists existence
        existiert existe reality truth knowledge mind causal random randomness machine machines
        maschine máquina numbers set sets proof physics mathematics justice justicia gerecht
        rational rationality intelligence intelligent language wahrheit verdad vérité zeit tiempo
        temps realidad réalité ब्रह्मांड उत्पत्ति समय wrongs tunnel simulat* computation computers
        evolution democracy happiness god soul
        optimal efficient safe_ai aligned alignment""",
    "quantifier": """is_there_a is_there_an are_there_any nobody no_one both any_given largest smallest
        without gibt_es hay_algún every any all always ever never possible impossible necessarily itself
        rather_than at_once fundamentally in_principle exactly jeder jede immer jemals unmöglich
        cada siempre nunca imposible chaque toujours jamais impossible हर हमेशा shorter_than
        longer_than faster_than larger_than equal_to straight_through fair perfect
        überhaupt plutôt""",
    "critical": """weaknesses vulnerabilities vulnerability flaw flaws fallacy fallacies loopholes
        loophole risky risks bottleneck bottlenecks contradictions inconsistencies logic_fails
        goes_wrong wrong_with rank_them schwächen debilidades faiblesses blind_spots""",
    "surface": "typo typos spelling indentation whitespace capitalisation tippfehler rechtschreibung",
    "format": """into_csv to_csv into_json to_json into_yaml to_yaml into_xml into_html
        to_markdown into_markdown into_a_table into_a_list to_snake_case to_camel_case
        to_uppercase to_lowercase""",
    "requirement": """must should ensure including include includes without at_least at_most
        fewer_than no_more_than under support supports handle handles muss sollte debe debería
        doit incluye compris einschließlich sin sans ohne constraint constraints requirements""",
}

_CHINESE = {
    "prove": "证明 推导 求证",
    "research": "综述 研究现状 深入研究 调研 未解决 提出新的 文献",
    "design": "设计 架构",
    "code": "实现 编程 重构 调试",
    "analyse": "分析 比较 评估 评价 对比 利弊 论述 优缺点 讨论",
    "plan": "计划 规划",
    "solve": "求解 解方程 计算",
    "write": "写 编写 撰写 创作 创建 开发",
    "transform": "总结 概括 摘要 提取 改写 缩写",
    "explain": "解释 说明 描述 介绍 讲解 区别 怎么工作 如何工作 原理",
    "suggest": "推荐 给我一些 想法",
    "why": "为什么 为何",
    "how": "怎么 如何 怎样",
    "lookup": "多少 几个 谁 哪里 哪个 哪年 哪一年 什么时候 是什么 等于几 几月 几点",
    "yes_no": "吗 是否 能否 是不是",
    "identify": "找出 修复 找到",
    "lexical": "怎么说 用英语 用英文 什么意思 意思是 拼写 同义词 反义词 怎么读",
    "translate": "翻译",
    "trivial": "转换 排序 列出 改成",
    "greeting": "你好 您好 谢谢 早上好",
    "short_text": "邮件 短信 请假 标题",
    "long_text": "文章 论文 故事 小说 报告 作文 演讲",
    "code_thing": "程序 代码 函数 脚本 算法 死锁 网站 应用",
    "system": "系统 平台 数据库 协议",
    "scale": "分布式 容错 高可用 低延迟 合规 不停机 千万 百万 高并发",
    "science": "假说 实验 量子 理论 定理",
    "rigour": "严格 系统 全面 最优 复杂度 详细",
    "easing": "简短 一句话 简要 简单",
    "depth": "逐步 一步一步 深入",
    "open_problem": "有意识 自由意志 虚无 宇宙的起源 黎曼 哥德巴赫 暗物质 生命的意义 意识",
    "deep": "素数 无穷 停机 图灵 哥德尔 悖论 熵 黑洞 相对论 无限",
    "abstract": "机器 时间 宇宙 存在 真理 万物",
    "requirement": "要求 必须 至少 不超过 包括",
}

@dataclass(frozen=True, slots=True)
class Cue:
    """A word or phrase and what it speaks for.

    `leading`: only where an instruction can begin. `open_end`: any ending will do.
    """

    phrase: str
    kind: str
    leading: bool
    open_end: bool


def _entries() -> Iterator[Cue]:
    for leading, groups in ((True, _IMPERATIVES), (False, _ANYWHERE), (False, _TOPICS)):
        for kind, words in groups.items():
            for word in words.split():
                plain = word.replace("_", " ").replace("-", " ")
                yield Cue(plain.rstrip("*"), kind, leading, plain.endswith("*"))


def _indexed(stems: bool) -> dict[str, tuple[Cue, ...]]:
    """First word, or the first four letters of a stem -> cues, the longest first."""
    index: dict[str, list[Cue]] = {}
    for cue in _entries():
        if stems == (cue.open_end and " " not in cue.phrase):
            key = cue.phrase[:4] if stems else WORD.findall(cue.phrase)[0]
            index.setdefault(key, []).append(cue)
    return {key: tuple(sorted(cues, key=lambda c: -len(c.phrase))) for key, cues in index.items()}


#: With Devanagari's vowel signs, which are no `\w`, and without Chinese and Japanese.
WORD = re.compile(r"[0-9A-Za-z_\u00c0-\u02ff\u0370-\u0963\u0966-\u1fff]+")
CUES = _indexed(stems=False)
STEMS = _indexed(stems=True)
CHINESE_KIND = {word: kind for kind, words in _CHINESE.items() for word in words.split()}
CHINESE = re.compile("|".join(sorted(CHINESE_KIND, key=len, reverse=True)))


@cache
def _deletions() -> dict[str, str]:
    """Each known word of six letters or more with one letter left out -> the word."""
    known = [word for word, cues in CUES.items() if len(word) > 5 and word.isascii() and any(c.phrase == word and c.kind in _MENDED for c in cues)]  # noqa: PLR2004 (as above)
    return {word[:i] + word[i + 1 :]: word for word in known for i in range(1, len(word))}


def corrected(word: str) -> str | None:
    """The known word that is one slip away (a letter more, less, wrong or swapped), if any.

    Five-letter verbs are too near to other words: of them only swapped letters count.
    """
    if len(word) == 5:  # noqa: PLR2004 (as above)
        return next((verb for verb in _SHORT if _swapped(word, verb)), None)
    if len(word) < 5 or not word.isascii():  # noqa: PLR2004 (as above)
        return None
    table = _deletions()
    for i in range(1, len(word)):
        shorter = word[:i] + word[i + 1 :]
        found = shorter if shorter in CUES and i < len(word) - 1 else table.get(shorter)
        if found and found[0] == word[0]:
            return found
    return table.get(word)


_MENDED = {*TASKS, "code_thing", "long_text", "plan_thing", "system", "scale"}
_SHORT = ("write", "prove", "solve", "build", "draft", "essay")


def _swapped(word: str, verb: str) -> bool:
    return word[0] == verb[0] and word != verb and sorted(word) == sorted(verb)
