"""The words that say what a prompt asks for or about, written as in `words`."""

from __future__ import annotations

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
