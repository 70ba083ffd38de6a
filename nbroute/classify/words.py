"""The words that the rules know, as data: tasks, topics and openings of questions.

`_` stands for a space and a final `*` for any ending. Words are in lower case, in English,
German, Spanish, French and Hindi; Chinese has no word boundaries and a list of its own.
The lists were written by hand for this project; they hold what commonly names a task or a
hard topic, not the prompts that the rules were tried on.
"""

from __future__ import annotations

from dataclasses import dataclass


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
    "what_is": Task(0.12, 0.7, 0.85),
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
IMPERATIVES = {
    "prove": "prove disprove refute derive deduce formalise formalize",
    "research": """research investigate synthesise synthesize survey red_team
        reverse_engineer attack""",
    "design": "design architect migrate re_architect",
    "code": """implement refactor debug optimise optimize program code parallelise
        parallelize port""",
    "analyse": """analyse analyze compare contrast evaluate assess critique criticise
        criticize discuss argue debate weigh forecast diagnose examine judge appraise review
        reconcile interpret lay_out make_the_case walk_through""",
    "plan": "plan plane strategise strategize negotiate",
    "solve": "solve compute determine integrate differentiate minimise minimize maximise",
    "write": """write draft compose create build develop make generate construct prepare
        produce invent author devise""",
    "transform": """summarise summarize sum_up condense shorten simplify extract rewrite
        rephrase reword paraphrase proofread edit polish turn fill outline adapt complete""",
    "explain": """explain understand describe clarify illustrate elaborate teach
        walk_me_through help_me_understand give_an_overview introduce show_me_how""",
    "suggest": "suggest recommend brainstorm propose advise share",
    "identify": "identify find categorise categorize work_out figure_out locate calculate fix",
    "show": "show",
    "trivial": """say change detect round convert count sort format reformat rename
        capitalise capitalize alphabetise alphabetize reverse remove replace delete label tag
        list name give repeat print classify put correct order add""",
    "translate": "translate",
    "lexical": "define spell pronounce conjugate hyphenate",
}

#: Words and phrases that say it wherever they stand.
ANYWHERE = {
    "prove": """show_that demonstrate_that give_a_proof rigorous_proof lower_bound_on or_show
        or_prove or_disprove or_refute or_demonstrate or_explain_why_no or_explain_why_it
        show_there show_no show_why_no beweise_oder oder_widerleg* widerleg* oder_zeig*
        oder_beweis* oder_begründe oder_weise réfut* ou_démontr* ou_montre* ou_prouve*
        ou_explique_pourquoi refut* o_demuestr* o_prueb* o_explica_por_qué o_muestr*
        या_दिखाइए या_सिद्ध असिद्ध खंडन or_argue_that_no impossibility_proof
        impossibility_argument dass_es_keine* dass_es_unmöglich formally_verify
        first_principles find_all_functions beweis* herleit* leite_die zeige_dass zeige,_dass
        prueba_que pruebe_que demuestr* demostr* démontre* prouve* montre_que montrez_que
        सिद्ध साबित प्रमाणित""",
    "research": """literature_review systematic_review state_of_the_art open_problem
        open_problems open_questions research_agenda autonomous_agent autonomously jailbreak
        adversarial exploit_paths attack_surface attack_classes survey_paper
        state_of_research multi_agent research_programme research_program forschungsprogramm*
        programa_de_investigación programme_de_recherche carry_out_a_full plan_and_carry_out
        plan_and_execute conduct_a_full what_is_known everything_known
        everything_that_is_known réconcili* concili* in_einklang synthetisier* sintetiz*
        synthétis* fais_la_synthèse synthèse_des_travaux समन्वय every_way_in exploit_chain
        chain_of_exploits pentest penetrationstest* prueba_de_penetración test_d'intrusion
        penetration_test erforsch* recherchier* stand_der_forschung gesamte_forschung
        forschungsstand investiga estado_del_arte revue_de_la_littérature revue_complète
        état_de_l'art शोध अनुसंधान परिकल्पना""",
    "design": """entwirf* entwerf* konzipier* diseñ* conçoi* concev* डिज़ाइन डिजाइन वास्तुकला
        रचना work_out_a_scheme find_a_scheme find_a_method devise_a_method""",
    "code": """depura* implementier* programmier* optimier* implementa* refactoriza*
        optimiza* implément* debugg* debugge débogu*""",
    "analyse": """pros_and_cons trade_offs tradeoffs advantages_and_disadvantages
        strengths_and_weaknesses root_cause analysier* vergleich* bewert* beurteil*
        diskutier* erörter* analiz* compara comparar compare_con evalú* discut*
        vor_und_nachteil* ventajas_y_desventajas avantages_et_inconvénients évalu* विश्लेषण
        तुलना मूल्यांकन फायदे_और_नुकसान untersuch* abwäg* abzuwägen wäge wägen gegenüberstell*
        argumentier* begründe interpretier* pèse pèsent peser pesez sopes* pondera pondere
        argumentiere* compare_les interprète interprétez interpreta razona justifica
        le_pour_et_le_contre a_favor_y_en_contra dafür_und_dagegen für_und_wider पक्ष_और_विपक्ष
        तर्क समीक्षा weigh_up for_and_against arguments_for arguments_against speaks_against
        would_you_choose would_you_recommend do_you_trust to_what_extent inwiefern inwieweit
        dans_quelle_mesure en_qué_medida redraft build_a_case find_out_why what_would_be_fair
        a_fair_way""",
    "plan": """mène menez führe_eine führen_sie lleva_a_cabo realiza_un business_plan
        training_plan action_plan lesson_plan study_plan planen planifi* planific* योजना_बना*
        schedule_until realistic_schedule""",
    "write": """schreib* verfass* erstell* formulier* entwickl* escrib* redact* elabor*
        inventa* crea desarroll* écri* rédig* crée* développ* लिखिए लिखो लिखें लिखिये लिख
        बनाइए बनाओ बनाएं""",
    "transform": """tl;dr sum_this sum_it sum_these account_of overview_of fass corrige_les
        corrige_este verbessere_diesen template summary_of fasse zusammenfass* umschreib*
        kürze* extrahier* resum* extrae reescrib* résum* extrai* reformul* réécri* सारांश
        संक्षेप""",
    "explain": """erklär* beschreib* erläuter* explic* explíc* describ* expliqu* décri*
        difference_between differences_between unterschied diferencia différence समझाइए समझाओ
        समझाएं वर्णन अंतर main_causes""",
    "suggest": """good_way_to nice_way_to polite_way_to recipe recipes rezept receta recette
        questions_to_ask tips advice ways_to examples_of consejos conseils tipps ratschläge
        ideas ideen idées sugier* recomiend* propón propon* विधि प्रस्तावित suggèr* recommand*
        empfiehl* schlage सुझाव सुझाइए""",
    "yes_no": "est_elle est_il sont_elles sont_ils peut_on a_t_il a_t_elle ist_es existe_t_il",
    "show": "zeige zeigen_sie muestra montre montrez दिखाइए",
    "why": "क्यों",
    "how": "कैसे",
    "what_is": "क्या_है क्या_होता",
    "lookup": "कौन किसने कब कहाँ कहां कितना कितने कितनी कौनसा किस_वर्ष",
    "solve": """does_it_follow how_many_ways many_different_ways solve_for löse resuelv*
        résou* हल berechn* calcul*""",
    "identify": "finde finden_sie encuentra encuentre trouve corrig* behebe* arregla खोजिए",
    "lexical": """how_do_you_say wie_sagt_man cómo_se_dice se_dice dit_on großbuchstaben
        uppercase mayúsculas majuscules pluriel plural_von plural_de féminin upper_case
        synonym synonyms antonym plural_of rhymes_with rhyme_with stand_for stands_for
        abbreviation past_tense the_word_for capital_letters übersetz* buchstabier* bedeutet
        heißt bedeutung significa sinónimo deletrea veut_dire signifie अर्थ मतलब वर्तनी
        meaning_of french_word""",
    "translate": "übersetz* traduc* traduz* tradui* अनुवाद translat*",
    "trivial": """runde sortier* konvertier* nenne nenn ordena convierte converti* trie_les
        nomme yes_or_no true_or_false ja_oder_nein sí_o_no oui_ou_non हाँ_या_नहीं rechne
        umrechn*""",
}

#: How a question or a greeting begins, once politeness is skipped.
OPENINGS = {
    "greeting": """hi hello hey yo hola bonjour hallo salut good_morning good_day
        good_evening good_night how_are_you how_are_things how's_it_going wie_geht
        guten_morgen guten_tag guten_abend thanks thank comment_ça_va comment_allez
        cómo_estás qué_tal नमस्ते आप_कैसे धन्यवाद gracias merci danke""",
    "what_if": """what_would_be what_would_happen what_will_happen what_could_happen
        what_might_happen what_if suppose imagine_that was_würde was_wäre was_passiert
        qué_pasaría que_se_passerait""",
    "plan": """how_would_you how_would_we how_would_i how_should_we how_should_i
        how_should_one how_could_we how_might_we""",
    "should": "should shall sollte sollten deberíamos faut_il",
    "suggest": "what_should_i what_should_we what_could_i what_can_i what_are_some",
    "why": "why warum wieso weshalb por_qué pourquoi how_come",
    "reason": """what_is_the_probability what's_the_probability what_are_the_odds
        in_how_many_ways how_many_ways what_is_the_fewest what_is_the_minimum
        what_is_the_smallest_number what_is_the_least what_is_the_maximum
        what_is_the_expected what_are_the_chances""",
    "lookup": """cómo_se_llama comment_s'appelle who who's whos whose whom when where which
        how_many how_much how_mny how_old how_tall how_far how_long how_often how_big
        how_high how_fast how_deep how_heavy what_year what_time what_day what_date
        what_color what_colour what_language what_country what_city what_number
        what_percentage what_kind what_sort what_type in_which in_what on_which on_what
        at_which from_which to_which wer wen wem wann wo woher welche welcher welches welchen
        welchem wie_viel wie_viele wie_alt wie_hoch wie_weit wie_lange wie_oft wie_groß
        wie_heißt wie_lautet wich in_welcher in_welchem in_welche quién quiénes cuándo dónde
        en_qué cuánto cuánta cuántos cuántas qui quand où combien dans_quel dans_quelle
        en_quelle""",
    "what_is": """what_is what's whats what_are what_was what_were wat wats was_ist was_sind
        was_war was_heißt qué cuál cuáles quel quelle quels quelles qu'est""",
    "what": "what waht whta wht was que",
    "how": """how hwo wie cómo comment what_cause what_causes what_caused what_happens
        what_makes what_made""",
    "yes_no": """is are was were am do does did can could will would has have had must may
        might isn't aren't doesn't don't can't whether ist sind war hat haben kann können
        gibt darf gilt ob es son está hay puede pueden tiene existe est y_a peut
        un_ordinateur_peut क्या""",
}

#: Two of these in what leads up to a question make it a puzzle.
RELATIONS = """lie lies liar liars knight knave truth teller taller older younger shorter left right
    father mother brother sister opposite shadow facing statement statements true false uncertain
    sits ahead behind weighings jugs relationship heavier lighter row"""


#: What is asked for or about.
TOPICS = {
    "short_text": """email mail note message tweet caption haiku limerick slogan headline
        card sentence reply invitation reminder title blurb description paragraph post letter
        bio joke riddle toast carta mensaje lettre carte निमंत्रण nachricht correo courriel
        पत्र absage apology""",
    "plan_thing": """rota timetable itinerary seating_plan stundenplan dienstplan
        emploi_du_temps horario plan strategy model roadmap syllabus concept konzept
        framework budget schedule policy strategie estrategia stratégie plans spreadsheet
        योजना""",
    "long_text": """essay memo story speech article report proposal chapter screenplay
        script_for memoir whitepaper sonnet poem dialogue play esay essey aufsatz bericht
        geschichte rede ensayo cuento informe dissertation récit rapport discours निबंध कहानी
        लेख curriculum feature""",
    "book": "novel thesis monograph survey_paper textbook roman novela grant_application",
    "code_thing": """function class script game spiel juego jeu program programm programme
        programa función algorithm api app application parser website webpage bot scraper cli
        component endpoint module library python javascript typescript java rust golang c++
        react django fastapi pandas command_line_tool unit_tests test_suite प्रोग्राम पायथन
        code bug segfault crashes stack_trace compiler fehler bogue* error_handling
        binary_tree linked_list array arrays sorted_array o(log o(n o(1 workflow कोड वेबसाइट
        web_page goroutine* pull_request aplicación anwendung deadlock* abfrage consulta
        requête""",
    "small_code_thing": """sql query queries regular_expression regex one_liner one_line
        sql_query docstring docstrings list_comprehension snippet""",
    "system": """datenbank* agent engine system systems platform platforms architecture
        architektur arquitectura database protocol infrastructure plattform plataforma
        plateforme sistema système operating_system pipeline services microservices monolith
        compiler garbage_collector consensus raft paxos store queue प्रणाली library""",
    "scale": """distributed fault_tolerant fault_tolerance scalable globally latency
        lock_free linearizable linearizability replication partitions resharding
        zero_downtime without_downtime no_downtime high_availability highly_available
        failover recovery exactly_once residency throughput redundancy real_time millions
        verteilt* ausfallsicher* hochverfügbar* ohne_unterbrechung unterbrechung distribuid*
        tolerante latencia distribué* chiffrement tolérant* haute_disponibilité reprise
        वितरित सहिष्णु multi_region multi_tenant byzantine compliance conformité cumplimiento
        formal_guarantees snapshots zero_trust disaster end_to_end per_second concurrent""",
    "theory": """theories hypotheses mechanisms experimente hypothesen theorien vorhersagen
        expériences hypothèses prédictions teorías experimentos predicciones mechanismus
        mecanismo mécanisme theory hypothesis mechanism conjecture theorem scheme paradigm
        signature_scheme theorie teoría théorie hypothese hipótesis hypothèse experiment
        experiments सिद्धांत परिकल्पना""",
    "maths": """integer integers odd even f polynomial* bounded constant convergent diverg*
        converg* divisible continuous prime primes graph matrix group subgroup ring vector
        compact sequence series modulo arbitrary holomorphic entire abelian finite bijection
        injective convex irrational equations ecuaciones gleichungen équations spanning_tree*
        lattice reihe folge serie suite sucesión infinité zahlen nombres números let_f let_g
        let_x let_n let_a induction""",
    "science": """theory hypothesis mechanism experiment experiments clinical_trial protocol
        causal identification falsify falsifiable falsification predictions testable
        equations governing_equations path_integral superconductivity reinforcement_learning
        peer_reviewed evidence confounders endpoints mathematical theorem lemma conjecture
        teoría théorie theorie quantum meta_analysis सिद्धांत widersprüche contradict
        conflicting contradictoires""",
    "rigour": """bewiesen* autonomous rigorous rigorously formally formal novel comprehensive
        exhaustive exhaustively worst_case optimal asymptotic complexity provably thorough
        thoroughly all_known uncertainty umfassend systematisch riguros* exhaustiv* rigoureu*
        विस्तृत गहन from_scratch a_fondo sources""",
    "depth": """step_by_step in_depth in_detail detailed justify justification argue_both
        reasoning assumptions edge_cases unit_tests with_tests schritt_für_schritt
        paso_a_paso étape_par_étape ausführlich detallad* détaillé* implications consequences""",
    "easing": """briefly brief short quick quickly simple one_sentence two_sentences one_line
        one_word single_word in_a_line a_few_sentences two_lines plain_english two_line kurz*
        breve brièvement court courte छोटा संक्षिप्त""",
    "open_problem": """np bpp pspace exptime riemann* goldbach collatz perfect_numbers
        twin_prime* two_primes free_will freien_willen freier_wille freie_wille
        willensfreiheit libre_albedrío libre_arbitre conscious consciousness sentient
        one_way_functions continuum_hypothesis dark_matter dark_energy big_bang
        origin_of_life life_start something_rather nothingness quantum_gravity arrow_of_time
        meaning_of_life qualia theory_of_everything moral* morality simulation_hypothesis
        superintelligen* agi bewusstsein bewußtsein conciencia conscience चेतना abiogenesis
        yang_mills navier_stokes hard_problem nichts rien néant instead_of_nothing
        in_lugar_de_nada lugar_de_nada कुछ_न_होने causality mathematics_invented
        discovered_or_invented invented_or_discovered protein_folding have_a_direction
        objective ethics multiverse self_aware singularity""",
    "deep": """cosmolog* quine interpreter halting turing undecidable decidable gödel godel
        incompleteness infinite infinitely infinity prime primes theorem irrational
        transcendental polynomial convergent converge converges bounded monotone continuous
        differentiable planar graph manifold homotopy topology isomorphic eigenvalue*
        countable uncountable abzählbar unendlich* infinito* infini infinis primos primzahl*
        premiers axiom axioms lossless compress* compressor kolmogorov consensus byzantine
        partition consistent linearizable deadlock lock_free entropy relativity quantum
        paradox self_reference recursive cryptograph* zero_knowledge encryption perfect_chess
        chess_engine trisect ruler_and_compass voting_system game_theory nash equilibrium
        sorting_algorithm comparison_sort black_hole* spacetime faster_than_light antimatter
        thermodynamic* अनंत अभाज्य perpetual_motion epistemolog* ontolog* metaphysic*
        determinism determinist* blockchain neural_network* backpropagation gradient_descent
        type_system monad halteproblem complexity_class* hash_collision* sorting
        sort_algorithm algorithm algorithms string_theory wave_function entangle* mechanics
        gravity gravitation photon* electron* neutrino* symmetry vacuum particle*
        fundamental_constants constants speed_of_light conjecture lemma automaton automata
        np_hard np_complete oracle lambda_calculus bijection cardinality subset modulo matrix
        eigenvector* gradient integral convex diverg* divergent polynomials primality
        factoring factori* set_of_all_sets self_referential fixed_point superposition
        decoherence renormali* genome mutation* natural_selection speciation aging senescence
        antibiotic_resistance dark_age ship_of_theseus trolley utilitarian* epistem*
        solipsis* dualism materialism""",
    "philosophy": """suffering universe universo univers universum cosmos existence reality
        truth mind minds randomness mathematics god soul afterlife simulation ever_know
        know_whether knowledge wahrheit verdad vérité realität realidad réalité ब्रह्मांड ईश्वर
        dios dieu gott seele âme alma machines_think machine_think maschine_denken
        máquina_pensar machine_penser beginning_of_time existenz existencia
        intelligence_artificial self_consciousness libre_de_choisir other_minds mathematik
        matemáticas mathématiques sommes_nous_libres""",
    "abstract": """time exist exists existiert existe real think thinking denken pensar
        penser edge infinite_past past causal random machine machines maschine máquina
        numbers set sets proof physics justice justicia gerecht rational rationality
        intelligence intelligent identity self meaning language zeit tiempo temps समय उत्पत्ति
        wrongs tunnel program programs computation computers evolution democracy happiness
        circularity contradiction optimal efficient aligned alignment límite limit limits
        grenze limite free wissen pain life leben vida vie death suffer suffers leiden sufrir
        souffrir logic universal justified justif* defined consistent induction anfang début
        knowable wirklich réel सत्य वास्तविक अस्तित्व""",
    "quantifier": """is_there_a is_there_an are_there_any nobody no_one both any_given
        largest smallest without gibt_es hay_algún every any all always ever never possible
        impossible necessarily itself rather_than at_once fundamentally in_principle exactly
        jeder jede immer jemals unmöglich cada siempre nunca imposible chaque toujours jamais
        हर हमेशा shorter_than longer_than faster_than larger_than equal_to straight_through
        fair perfect überhaupt plutôt""",
    "proof_thing": """full_proof complete_proof rigorous_proof formal_proof checkable_proof
        elementary_proof proof_that proof_of_the prove counterexample counter_example
        gegenbeispiel contraejemplo contre_exemple theorem démonstration_que demostración_de
        प्रमाण""",
    "told": "account overview summary zusammenfassung résumé resumen सारांश",
    "conflict": """reconcile conflicting contradict* disagree disagreement inconsistent
        opposing opposed clash mixed_evidence mixed_findings widersprüchlich* widersprech*
        widerspruch* contradictoire* opposés contradictori* contradic* opuest* desacuerdo
        divergent* विरोधी विरोधाभास*""",
    "evidence": """evidence findings studies study literature results trials experiments data
        datasets accounts befunde ergebnisse studien literatur forschung travaux études
        résultats preuves estudios hallazgos resultados evidencia अध्ययन अध्ययनों परिणाम
        परिणामों साक्ष्य known""",
    "autonomy": """on_your_own by_yourself without_asking autonomously unattended carry_out
        until_done until_the_tests until_everything selbstständig selbständig eigenständig
        ohne_rückfragen autonom bis_alles de_forma_autónoma autónoma autónomamente
        por_tu_cuenta lleva_a_cabo sin_preguntar de_manera_autonome autonome de_bout_en_bout
        sans_me_demander toi_même jusqu'à_ce_que स्वयं स्वायत्त बिना_पूछे report_only""",
    "conditions": """such_that so_that_no while_never impossible impossibility guarantee*
        guaranteed never_lose cannot_be_had has_to_give given_up must_give which_of_these
        which_of_them sodass so_dass derart bedingungen unmöglich garantier* tel_que
        telle_que de_sorte_que garanti* tal_que de_modo_que de_manera_que imposible garantic*
        condiciones शर्तें असंभव truthful truthfully incentive* collusion unforgeable
        verifiable anonymous vérifiable anonyme""",
    "critical": """poem poems stanza narrator metaphor symbolism gedicht erzähler poema
        narrador poème narrateur likely_cause likely_causes chain_of_causes causal_chain
        ursachen dangerous strongest weakest fairness persuasive how_well hidden_assumptions
        weaknesses vulnerabilities vulnerability flaw flaws fallacy fallacies loopholes
        loophole risky risks bottleneck bottlenecks contradictions inconsistencies
        logic_fails goes_wrong wrong_with rank_them schwächen debilidades faiblesses
        blind_spots""",
    "surface": """typo typos spelling indentation whitespace capitalisation tippfehler
        rechtschreibung""",
    "format": """into_csv to_csv into_json to_json into_yaml to_yaml into_xml into_html
        to_markdown into_markdown into_a_table into_a_list to_snake_case to_camel_case
        to_uppercase to_lowercase""",
    "requirement": """must should ensure including include includes without at_least at_most
        fewer_than no_more_than under support supports handle handles muss sollte debe
        debería doit incluye compris einschließlich sin sans ohne constraint constraints
        requirements""",
}


#: Task or topic -> its words; a word may speak for several.
CHINESE_WORDS = {
    "prove": "证明 推导 求证 反驳 证伪 论证不可能 证否 或说明不可能",
    "research": """综述 研究现状 深入研究 调研 未解决 提出新的 文献 研究方案 研究计划
        研究纲领 渗透测试 红队 攻击链 新机制 新理论 新假说""",
    "design": "设计 架构 构造 构建 搭建",
    "code": "实现 编程 重构 调试 排查 优化 修复程序",
    "analyse": """分析 比较 评估 评价 对比 利弊 论述 优缺点 讨论 权衡 利与弊 评析 赏析 论证
        辨析 得失 应不应该 该不该 支持和反对 支持与反对 优势和劣势 诊断 是什么原因 什么原因""",
    "plan": "制定计划 规划 计划 制定 方案",
    "solve": "求解 解方程 计算 甲乙丙 几种方法 多少种",
    "write": "写 编写 撰写 创作 创建 开发 做一个 起草",
    "transform": "总结 概括 摘要 提取 改写 缩写 归纳 改得 润色 整理 校对",
    "explain": "解释 说明 描述 介绍 讲解 区别 怎么工作 如何工作 原理 什么是 讲讲",
    "suggest": "推荐 给我一些 想法 提出 建议 做法 食谱 菜谱",
    "why": "为什么 为何",
    "how": "怎么 如何 怎样",
    "lookup": """多少 几个 谁 哪里 哪个 哪年 哪一年 什么时候 是什么 等于几 几月 几点 几座
        几天 哪天 哪位 在哪 叫什么 何时 几号""",
    "yes_no": "吗 是否 能否 是不是 有没有 会不会 对不对",
    "identify": "找出 修复 找到 改正",
    "lexical": """怎么说 用英语 用英文 什么意思 意思是 拼写 同义词 反义词 怎么读 拼音 的英文
        英文单词 的法语 的德语 的日语""",
    "translate": "翻译",
    "trivial": "转换 排序 列出 改成 换算",
    "greeting": "你好 您好 谢谢 早上好 晚上好 再见 在吗",
    "short_text": "邮件 短信 请假 标题 祝福 贺卡 通知 段落 一段话 便条 回复",
    "long_text": "文章 论文 故事 小说 报告 作文 演讲 剧本 散文",
    "book": "专著 长篇小说 综述论文",
    "code_thing": """程序 代码 函数 脚本 算法 死锁 网站 应用 游戏 网页 爬虫 内存 接口 报错
        崩溃 python java 软件""",
    "small_code_thing": "正则 查询语句 sql",
    "system": "系统 平台 数据库 协议 机制 引擎 架构",
    "scale": """分布式 容错 高可用 低延迟 合规 不停机 千万 百万 高并发 一致性 灾难恢复 拜占庭
        加密""",
    "theory": "假说 假设 理论 定理 新机制 猜想 实验",
    "science": "假说 实验 量子 理论 定理 假设 因果 预测 检验 机制 可检验",
    "proof_thing": "反例 证明",
    "conflict": "矛盾 冲突 分歧 不一致 相反",
    "evidence": "研究 文献 证据 数据 实验结果 发现 结果",
    "autonomy": "自主 独立完成 不要中途 无需确认 不要问我 自行",
    "conditions": "满足 使得 不存在 不可能 保证 全部条件 所有条件 任何情况",
    "critical": "这首诗 叙述者 意象 象征 漏洞 风险 缺陷 弱点",
    "rigour": "严格 系统地 系统性 全面 最优 复杂度 详细 完整 严谨",
    "easing": "简短 一句话 简要 简单 三句话 两句话 几句话",
    "depth": "逐步 一步一步 深入 详细",
    "open_problem": """有意识 自由意志 虚无 宇宙的起源 黎曼 哥德巴赫 暗物质 生命的意义 意识
        暗能量 大爆炸 生命的起源 生命起源 平行宇宙 孪生素数 超级智能""",
    "deep": """素数 无穷 停机 图灵 哥德尔 悖论 熵 黑洞 相对论 无限 衰老 收敛 连续 有理数
        无理数 有界 多项式""",
    "philosophy": "宇宙 真理 万物 灵魂 上帝 真实存在 机器能思考 本质 道德",
    "abstract": "机器 时间 存在 真实 边界 思考 起点 开端 生命 数学 尽头 客观 自由 知识",
    "quantifier": "任意 任何 所有 每个 永远 必有 必然 可能",
    "maths": "函数 数列 方程 整数 矩阵 图",
    "noun": """计算机 计算器 写字楼 计划经济 比较好 比较贵 比较多 比较大 比较小 比较快
        分析化学 设计图 解释权""",
    "requirement": "要求 必须 至少 不超过 包括",
}
