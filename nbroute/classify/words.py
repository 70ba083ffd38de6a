"""The words that the rules know, as data: tasks and openings of questions.

`_` stands for a space and a final `*` for any ending. Words are in lower case, in English,
German, Spanish, French and Hindi; Chinese has no word boundaries and a list of its own, `chinese`.
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
